"""All checks of a bundle, by name."""

from __future__ import annotations

from scripts.manifests import (
    containers,
    mesh,
    pod_security,
    reachability,
    references,
    rights,
    schemas,
    selectors,
)
from scripts.manifests.bundle import Check

CHECKS: dict[str, Check] = {
    "schemas": schemas.check,
    "pod security": pod_security.check,
    "images": containers.check_images,
    "resources": containers.check_resources,
    "references": references.check,
    "rights": rights.check,
    "selectors": selectors.check,
    "reachability": reachability.check,
    "sidecars": mesh.check_sidecars,
    "profiles": mesh.check_profiles,
    "runs": mesh.check_runs,
}
