"""What is decided when a pipeline is compiled: what KFP 2.17 takes no parameter for, and defaults.

Names of secrets could be parameters, but then a run's form would ask for them. Sizes of shared
memory and timeouts are plain numbers in KFP's platform specification.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput
from nasoa.pipelines.pod_labels import QUEUE_LABEL, check_labels
from nasoa.pipelines.site import Site, read_site
from nasoa.whole_number import whole_number

QUANTITY = re.compile(r"[1-9]\d*(?:[KMGT]i?)?")
_SECRET = re.compile(r"(?:[a-z0-9.-]|\{component\})+")
SITE_VARIABLE = "NASOA_SITE"
_MOST_AT_ONCE = 2**31 - 1  # KFP's numbers
_CLAIM = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?)?")
_VARIABLES = {
    "store": "NASOA_STORE",
    "image": "NASOA_IMAGE",
    "secret": "NASOA_SECRET",
    "shared_memory": "NASOA_SHARED_MEMORY",
    "scratch": "NASOA_SCRATCH",
    "data_claim": "NASOA_DATA_CLAIM",
    "queue": "NASOA_QUEUE",
    "light_timeout": "NASOA_LIGHT_TIMEOUT",
    "gpu_timeout": "NASOA_GPU_TIMEOUT",
    "parallelism": "NASOA_PARALLELISM",
}


@dataclass(frozen=True, kw_only=True)
class CompileOptions:
    """How pipelines are compiled.

    Args:
        store: default of the parameter `store`; without one it must be given to each run.
        image: of all steps; empty for that of the components.
        secret: name of the secret with the store's keys; `{component}` stands for the component's
            name, and without it one secret serves all.
        shared_memory: most that a GPU step may keep in /dev/shm, in Kubernetes' units.
        scratch: most that a GPU step may keep in /tmp, on the disk of its node.
        data_claim: name of the PersistentVolumeClaim that the pods of a search, a zoo or a
            collection share for copies of their data; empty for a copy in each pod.
        queue: name of the queue of Kueue that pods wait in; empty for none.
        light_timeout_s, gpu_timeout_s: after which an attempt of a step is stopped, in seconds.
        parallelism: how many turns of a loop (architectures, models, shares) run at once.
        retried: whether a step that fails is tried again.
        site: further defaults of parameters.
    """

    store: str = ""
    image: str = ""
    secret: str = "nasoa-s3-{component}"
    shared_memory: str = "8Gi"
    scratch: str = "96Gi"
    data_claim: str = ""
    queue: str = ""
    light_timeout_s: int = 3600
    gpu_timeout_s: int = 24 * 3600
    parallelism: int = 16
    retried: bool = True
    site: Site = field(default_factory=Site)

    def __post_init__(self) -> None:
        if not _SECRET.fullmatch(self.secret):
            raise InvalidInput(
                "expected a secret's name of a-z, 0-9, '-', '.' and perhaps {component}, "
                f"got {self.secret!r}"
            )
        for what, size in (("shared memory", self.shared_memory), ("scratch", self.scratch)):
            if not QUANTITY.fullmatch(size):
                raise InvalidInput(f"expected {what} like 8Gi, got {size!r}")
        if not _CLAIM.fullmatch(self.data_claim):
            raise InvalidInput(
                f"expected a claim's name of a-z, 0-9, '-' and '.', got {self.data_claim!r}"
            )
        check_labels(self.queue_label(self.queue), "the queue")
        if min(self.light_timeout_s, self.gpu_timeout_s) < 1:
            raise InvalidInput("expected a step's timeout of a second or more, like 24h")
        if self.parallelism < 1:
            raise InvalidInput(f"expected a parallelism of 1 or more, got {self.parallelism}")

    def defaults_of(self, pipeline: str) -> dict[str, Any]:
        """Defaults of a pipeline's parameters; those of other pipelines may be among them."""
        own = self.site.pipelines.get(pipeline, {})
        store = {"store": self.store} if self.store else {}
        return {**self.site.parameters, **store, **own}

    def labels_of(self, pipeline: str) -> dict[str, str]:
        """Labels of the pods of a pipeline's steps; its own count before those of all."""
        labels = {**self.queue_label(self.queue), **self.site.labels}
        own = self.site.labels_of.get(pipeline, {})
        return {**labels, **self.queue_label(self.site.queues.get(pipeline, "")), **own}

    @staticmethod
    def queue_label(queue: str) -> dict[str, str]:
        """The label that Kueue reads; none for an empty name."""
        return {QUEUE_LABEL: queue} if queue else {}

    def secret_of(self, component: str) -> str:
        """The name of a component's secret."""
        return self.secret.replace("{component}", component)


def compile_options(
    given: Mapping[str, str | None] | None = None, environment: Mapping[str, str] = os.environ
) -> CompileOptions:
    """Options from text: those given, else those of the environment, of the site, the defaults.

    Args:
        given: by the names `site`, `store`, `image`, `secret`, `shared_memory`, `scratch`,
            `data_claim`, `queue`, `light_timeout`, `gpu_timeout`, `parallelism`; timeouts are
            durations like 24h.
        environment: with NASOA_SITE, NASOA_STORE, NASOA_SECRET and so on. A NASOA_STORE that is a
            folder of this machine is not one that pods could use, and is left out.

    Raises:
        InvalidInput: one is not usable.
    """
    own = dict(given or {})
    file = own.get("site") or environment.get(SITE_VARIABLE)
    site = read_site(Path(file), tuple(_VARIABLES)) if file else Site()
    from_environment = {name: environment.get(variable) for name, variable in _VARIABLES.items()}
    if "://" not in (from_environment["store"] or ""):
        from_environment["store"] = None
    told = {
        name: own.get(name) or from_environment[name] or site.texts.get(name) for name in _VARIABLES
    }
    default = CompileOptions()
    return CompileOptions(
        store=told["store"] or default.store,
        image=told["image"] or default.image,
        secret=told["secret"] or default.secret,
        shared_memory=told["shared_memory"] or default.shared_memory,
        scratch=told["scratch"] or default.scratch,
        data_claim=told["data_claim"] or default.data_claim,
        queue=told["queue"] or default.queue,
        light_timeout_s=_seconds(told["light_timeout"], default.light_timeout_s),
        gpu_timeout_s=_seconds(told["gpu_timeout"], default.gpu_timeout_s),
        parallelism=_count(told["parallelism"], default.parallelism),
        site=site,
    )


def _seconds(text: str | None, default: int) -> int:
    return int(parse_duration(text)) if text else default


def _count(text: str | None, default: int) -> int:
    if not text:
        return default
    count = whole_number(text, _MOST_AT_ONCE)
    if count is None:
        raise InvalidInput(f"expected a parallelism like 16, got {text!r}")
    return count
