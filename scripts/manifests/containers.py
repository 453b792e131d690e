"""What every container must have: an image that stays the same, requests and limits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.manifests.bundle import Bundle
from scripts.manifests.pods import pods

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_TAG = re.compile(r"[^/]:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})$")
RESOURCES = ("cpu", "memory")


def check_images(bundle: Bundle) -> Iterator[str]:
    """An image has a digest, or a tag that an overlay's `images:` sets; never `latest`."""
    set_by_overlay = {
        f"{entry.get('newName', entry['name'])}:{entry['newTag']}"
        for entry in bundle.image_entries
        if "newTag" in entry
    }
    for pod in pods(bundle):
        for container in pod.containers:
            image = container.get("image", "")
            where = f"{pod.where}, container {container['name']!r}: image {image!r}"
            tag = _TAG.search(_DIGEST.sub("", image))
            if tag and tag["tag"] == "latest":
                yield f"{where} is whatever was pushed last; name a version"
            elif not _DIGEST.search(image) and image not in set_by_overlay:
                yield f"{where} has no digest, and no overlay sets it in `images:`"


def check_resources(bundle: Bundle) -> Iterator[str]:
    """Requests and limits for CPU and memory; of an extended resource, as much as is the limit."""
    for pod in pods(bundle):
        for container in pod.containers:
            where = f"{pod.where}, container {container['name']!r}"
            resources = container.get("resources", {})
            for part in ("requests", "limits"):
                for name in RESOURCES:
                    if name not in resources.get(part, {}):
                        yield f"{where}: resources.{part}.{name} is missing"
            for name, amount in resources.get("limits", {}).items():
                if "/" in name and resources.get("requests", {}).get(name, amount) != amount:
                    yield f"{where}: requests and limits of {name} must be equal"
