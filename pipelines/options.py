"""Compile options of pipelines: what KFP 2.17 takes no parameter for, and defaults of parameters.

Names of secrets could be parameters, but then the form of a run would ask for them. Sizes of shared
memory and timeouts are plain numbers in KFP's platform specification.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput
from nasoa.home_path import expanded
from nasoa.pipelines.pod_labels import QUEUE_LABEL, check_labels
from nasoa.pipelines.site import Site, read_site
from nasoa.whole_number import whole_number

_SHORTEST_TTL_S = 60
_LONGEST_S = 2**31 - 1  # KFP keeps 32 bits
QUANTITY = re.compile(r"[1-9][0-9]{0,17}(?:[KMGT]i?)?")
_SECRET = re.compile(r"(?:[a-z0-9.-]|\{component\})+")
SITE_VARIABLE = "NASOA_SITE"
_MOST_AT_ONCE = 2**31 - 1  # KFP's numbers
_OBJECT = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?)?")
_VARIABLES = {
    "store": "NASOA_STORE",
    "image": "NASOA_IMAGE",
    "secret": "NASOA_SECRET",
    "shared_memory": "NASOA_SHARED_MEMORY",
    "scratch": "NASOA_SCRATCH",
    "data_claim": "NASOA_DATA_CLAIM",
    "queue": "NASOA_QUEUE",
    "alert_secret": "NASOA_ALERT_SECRET",
    "run_ttl": "NASOA_RUN_TTL",
    "run_deadline": "NASOA_RUN_DEADLINE",
    "light_timeout": "NASOA_LIGHT_TIMEOUT",
    "gpu_timeout": "NASOA_GPU_TIMEOUT",
    "parallelism": "NASOA_PARALLELISM",
}


@dataclass(frozen=True, kw_only=True)
class CompileOptions:
    """How pipelines are compiled.

    Args:
        store: default of the parameter `store`; if empty, each run must set it.
        image: image of all steps; empty for that of the components.
        secret: name of the secret with the store's keys; `{component}` stands for the component's
            name, and without it all steps share one secret.
        shared_memory: size limit of /dev/shm in a GPU step, in Kubernetes' units.
        scratch: size limit of /tmp in a GPU step, on the disk of its node.
        data_claim: name of the PersistentVolumeClaim that the pods of a search, a zoo or a
            collection share for copies of their data; empty for a copy in each pod.
        queue: name of the Kueue queue that pods wait in; empty for none.
        alert_secret: name of the secret with the address of a webhook for failed runs, in its key
            NASOA_ALERT_URL; empty for none.
        run_ttl_s: seconds for which Kubernetes keeps the workflow of a run that has ended; None for
            the cluster's default.
        deadline_s: seconds after which a whole run is stopped; None for never.
        light_timeout_s, gpu_timeout_s: seconds after which an attempt of a step is stopped.
        parallelism: number of loop iterations (architectures, models, shares) that run at once.
        retried: whether a failed step is retried.
        site: further defaults of parameters, and labels.

    Raises:
        InvalidInput: a value is not valid.
    """

    store: str = ""
    image: str = ""
    secret: str = "nasoa-s3-{component}"
    shared_memory: str = "8Gi"
    scratch: str = "96Gi"
    data_claim: str = ""
    queue: str = ""
    alert_secret: str = ""
    run_ttl_s: int | None = None
    deadline_s: int | None = None
    light_timeout_s: int = 3600
    gpu_timeout_s: int = 24 * 3600
    parallelism: int = 16
    retried: bool = True
    site: Site = field(default_factory=Site)

    def __post_init__(self) -> None:
        if not _SECRET.fullmatch(self.secret):
            raise InvalidInput(
                "expected a secret's name of a-z, 0-9, '-', '.' and optionally {component}, "
                f"got {self.secret!r}"
            )
        for what, size in (("shared memory", self.shared_memory), ("scratch", self.scratch)):
            if not QUANTITY.fullmatch(size):
                raise InvalidInput(f"expected {what} like 8Gi, got {size!r}")
        for what, name in (("claim", self.data_claim), ("secret", self.alert_secret)):
            if not _OBJECT.fullmatch(name):
                raise InvalidInput(
                    f"expected a {what}'s name of a-z, 0-9, '-' and '.', got {name!r}"
                )
        _check_run_times(self.run_ttl_s, [self.deadline_s, *self._deadlines().values()])
        check_labels(self.queue_label(self.queue), "the queue")
        if min(self.light_timeout_s, self.gpu_timeout_s) < 1:
            raise InvalidInput("expected a step's timeout of a second or more, like 24h")
        if self.parallelism < 1:
            raise InvalidInput(f"expected a parallelism of 1 or more, got {self.parallelism}")

    def defaults_of(self, pipeline: str) -> dict[str, Any]:
        """Return the defaults for a pipeline; they can include parameters that it does not have."""
        own = self.site.pipelines.get(pipeline, {})
        store = {"store": self.store} if self.store else {}
        return {**self.site.parameters, **store, **own}

    def labels_of(self, pipeline: str) -> dict[str, str]:
        """Return the labels of a pipeline's pods; its own take precedence over the common ones."""
        labels = {**self.queue_label(self.queue), **self.site.labels}
        own = self.site.labels_of.get(pipeline, {})
        return {**labels, **self.queue_label(self.site.queues.get(pipeline, "")), **own}

    def run_deadline_s(self, pipeline: str) -> int | None:
        """Seconds after which a run of a pipeline is stopped, or None for never."""
        return self._deadlines().get(pipeline, self.deadline_s)

    def _deadlines(self) -> dict[str, int]:
        """The deadlines that pipelines have of their own, by name."""
        return {name: int(parse_duration(text)) for name, text in self.site.deadlines.items()}

    @staticmethod
    def queue_label(queue: str) -> dict[str, str]:
        """Return the label that Kueue reads; none for an empty name."""
        return {QUEUE_LABEL: queue} if queue else {}

    def secret_of(self, component: str) -> str:
        """Return the name of a component's secret."""
        return self.secret.replace("{component}", component)


def compile_options(
    given: Mapping[str, str | None] | None = None, environment: Mapping[str, str] = os.environ
) -> CompileOptions:
    """Return compile options from, in this order, `given`, the environment, the site, the defaults.

    Args:
        given: texts by the names `site`, `store`, `image`, `secret`, `shared_memory`, `scratch`,
            `data_claim`, `queue`, `alert_secret`, `run_ttl`, `run_deadline`, `light_timeout`,
            `gpu_timeout`, `parallelism`; times are durations like 24h.
        environment: environment with NASOA_SITE, NASOA_STORE, NASOA_SECRET and so on. A NASOA_STORE
            that is a folder on this machine is ignored, because pods cannot use it.

    Raises:
        InvalidInput: a value is not valid.
    """
    own = dict(given or {})
    file = own.get("site") or environment.get(SITE_VARIABLE)
    site = read_site(Path(expanded(file)), tuple(_VARIABLES)) if file else Site()
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
        alert_secret=told["alert_secret"] or default.alert_secret,
        run_ttl_s=_optional_seconds(told["run_ttl"]),
        deadline_s=_optional_seconds(told["run_deadline"]),
        light_timeout_s=_seconds(told["light_timeout"], default.light_timeout_s),
        gpu_timeout_s=_seconds(told["gpu_timeout"], default.gpu_timeout_s),
        parallelism=_count(told["parallelism"], default.parallelism),
        site=site,
    )


def _seconds(text: str | None, default: int) -> int:
    return int(parse_duration(text)) if text else default


def _optional_seconds(text: str | None) -> int | None:
    return int(parse_duration(text)) if text else None


def _check_run_times(ttl_s: int | None, deadlines_s: Sequence[int | None]) -> None:
    """Both times of whole runs are whole seconds of 32 bits.

    A workflow that is removed at once cannot tell KFP how it ended, so it stays for a minute.
    """
    if ttl_s is not None and not _SHORTEST_TTL_S <= ttl_s <= _LONGEST_S:
        raise InvalidInput(f"expected a run_ttl between 1m and 68 years, got {ttl_s} s")
    for deadline_s in deadlines_s:
        if deadline_s is not None and not 1 <= deadline_s <= _LONGEST_S:
            raise InvalidInput(
                f"expected a run_deadline between 1s and 68 years, got {deadline_s} s"
            )


def _count(text: str | None, default: int) -> int:
    if not text:
        return default
    count = whole_number(text, _MOST_AT_ONCE)
    if count is None:
        raise InvalidInput(f"expected a parallelism like 16, got {text!r}")
    return count
