"""Rights: no wildcards, no secrets but by name, nothing that lets a pod raise its own rights."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.manifests.bundle import Bundle, title

ESCALATING_VERBS = {"bind", "escalate", "impersonate"}
POWERFUL = {"pods/exec", "pods/attach", "serviceaccounts/token"}


def check(bundle: Bundle) -> Iterator[str]:
    """Problems of every Role and ClusterRole, and of who is bound to them."""
    for document in bundle.documents:
        if document["kind"] in ("Role", "ClusterRole"):
            for rule in document.get("rules") or ():
                for problem in _rule_problems(rule):
                    yield f"{title(document)}: {problem}"
        elif document["kind"] in ("RoleBinding", "ClusterRoleBinding"):
            for subject in document["subjects"]:
                if subject["kind"] != "ServiceAccount" or subject["name"] == "default":
                    yield f"{title(document)}: bind a service account made for this, not {subject}"
            if document["roleRef"]["name"] in ("admin", "cluster-admin", "edit"):
                yield f"{title(document)}: {document['roleRef']['name']} may do far too much"


def _rule_problems(rule: dict[str, list[str]]) -> Iterator[str]:
    for name in ("apiGroups", "resources", "verbs", "resourceNames", "nonResourceURLs"):
        if any("*" in value for value in rule.get(name, ())):
            yield f"{name} has a wildcard"
    if "secrets" in rule.get("resources", ()) and not rule.get("resourceNames"):
        yield "secrets without resourceNames are all secrets"
    if {"list", "watch"} & set(rule["verbs"]) and "secrets" in rule.get("resources", ()):
        yield "secrets must not be listed or watched, which shows all of them"
    for verb in sorted(ESCALATING_VERBS & set(rule["verbs"])):
        yield f"the verb {verb} lets its holder raise its own rights"
    for resource in sorted(POWERFUL & set(rule.get("resources", ()))):
        yield f"{resource} lets its holder act as another pod"
