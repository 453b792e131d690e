"""Pod Security "restricted", and two habits of our own.

The rules are those of Kubernetes' Pod Security Standards, level "restricted", which contains
"baseline": https://kubernetes.io/docs/concepts/security/pod-security-standards/
Our own: a root file system that cannot be written to, and a token only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.manifests.bundle import Bundle
from scripts.manifests.pods import Pod, pods

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
SECCOMP = ("RuntimeDefault", "Localhost")


def check(bundle: Bundle) -> Iterator[str]:
    """Problems of every pod."""
    for pod in pods(bundle):
        for problem in [*_pod_problems(pod), *_container_problems(pod)]:
            yield f"{pod.where}: {problem}"


def _pod_problems(pod: Pod) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(name):
            yield f"{name} is not allowed"
    for volume in pod.spec.get("volumes", ()):
        kinds = set(volume) - {"name"} or {"emptyDir"}
        for kind in sorted(kinds - VOLUMES):
            yield f"volume {volume['name']!r} is of kind {kind}, which is not allowed"
    context = pod.spec.get("securityContext", {})
    for sysctl in context.get("sysctls", ()):
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']} is not allowed"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield "a host process is not allowed"
    yield from _context_problems("the pod", context)
    if "automountServiceAccountToken" not in pod.spec:
        yield "automountServiceAccountToken is not set; say whether the pod gets a token"


def _container_problems(pod: Pod) -> Iterator[str]:
    of_pod = pod.spec.get("securityContext", {})
    for container in pod.containers:
        name = f"container {container['name']!r}"
        context = container.get("securityContext", {})
        yield from _context_problems(name, context)
        for problem in _own_problems({**of_pod, **context}, context):
            yield f"{name}: {problem}"
        for port in container.get("ports", ()):
            if port.get("hostPort"):
                yield f"{name}: hostPort {port['hostPort']} is not allowed"


def _own_problems(effective: dict[str, Any], context: dict[str, Any]) -> Iterator[str]:
    """What holds for a container; `effective` has the pod's settings where it has none."""
    if effective.get("runAsNonRoot") is not True:
        yield "runAsNonRoot must be true"
    if effective.get("seccompProfile", {}).get("type") not in SECCOMP:
        yield f"seccompProfile.type must be one of {', '.join(SECCOMP)}"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation must be false"
    if context.get("privileged"):
        yield "privileged is not allowed"
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()):
        yield "capabilities.drop must hold ALL"
    for added in sorted(set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}):
        yield f"the capability {added} is not allowed"
    if context.get("procMount", "Default") != "Default":
        yield "procMount must be Default"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem must be true"


def _context_problems(name: str, context: dict[str, Any]) -> Iterator[str]:
    """What a pod and a container may both set wrongly."""
    if context.get("runAsUser") == 0:
        yield f"{name}: runAsUser must not be 0"
    profile = context.get("seccompProfile", {}).get("type", SECCOMP[0])
    if profile not in SECCOMP:
        yield f"{name}: the seccomp profile {profile} is not allowed"
    apparmor = context.get("appArmorProfile", {}).get("type", SECCOMP[0])
    if apparmor not in SECCOMP:
        yield f"{name}: the AppArmor profile {apparmor} is not allowed"
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type", "") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield f"{name}: these seLinuxOptions are not allowed"
