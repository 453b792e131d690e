"""Where the steps of a pipeline run, what resources they get, and how often they are retried.

Each pipeline has two pools with a group of parameters each: `light_*` for steps that only read and
write the store, `gpu_*` for steps that train or measure. A pipeline's body calls
`on_light(step, ...)` or `on_gpu(step, ...)`, which apply all settings.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from kfp import kubernetes
from kfp.dsl import PipelineTask, pipeline_channel

from nasoa.pipelines import pod_settings
from nasoa.pipelines.options import CompileOptions

SHARED_MEMORY_PATH = "/dev/shm"
BACKOFF_FACTOR = 2.0
_TOLERATIONS = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


@dataclass(frozen=True)
class Retries:
    """The number of retries of a failed step, and the wait before the first one in seconds."""

    count: int
    backoff_s: int

    def window_s(self, timeout_s: int) -> int:
        """Return the seconds from a step's first start after which its last attempt has ended.

        Argo counts `backoffMaxDuration` from the start of the first attempt, so with KFP's default
        of one hour a longer step would get no second attempt.
        """
        waits = sum(int(self.backoff_s * BACKOFF_FACTOR**i) for i in range(self.count))
        return (self.count + 1) * timeout_s + waits


# A user is waiting for the task and wants to learn of a wrong path soon.
ONLINE = Retries(count=3, backoff_s=5)
# Nobody is waiting for a search, and spot nodes come back.
OFFLINE = Retries(count=5, backoff_s=30)


@dataclass(frozen=True)
class PoolParameter:
    """A parameter of a pipeline that places steps: its name, type, default and description."""

    name: str
    kind: type
    default: Any
    description: str

    def of_signature(self) -> inspect.Parameter:
        """Return it as a parameter of the pipeline's function."""
        return inspect.Parameter(
            self.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=self.default,
            annotation=self.kind,
        )


def _pool(
    prefix: str, steps: str, cpu: tuple[str, str], memory: tuple[str, str], tolerations: list[Any]
) -> tuple[PoolParameter, ...]:
    """Return the parameters that both pools have; pairs are request and limit."""
    return (
        PoolParameter(f"{prefix}_cpu_request", str, cpu[0], f"CPUs that {steps} reserve."),
        PoolParameter(f"{prefix}_cpu_limit", str, cpu[1], f"CPUs that {steps} may use."),
        PoolParameter(f"{prefix}_memory_request", str, memory[0], f"Memory that {steps} reserve."),
        PoolParameter(f"{prefix}_memory_limit", str, memory[1], f"Memory that {steps} may use."),
        PoolParameter(
            f"{prefix}_node_selector",
            dict,
            {},
            f'Labels of the nodes of {steps}, like {{"nasoa/pool": "online"}}; {{}} for any node.',
        ),
        PoolParameter(
            f"{prefix}_tolerations", list, tolerations, f"Taints that {steps} tolerate, a list."
        ),
        PoolParameter(
            f"{prefix}_affinity", dict, {}, f"Node affinity of {steps}, in Kubernetes' form."
        ),
    )


POOL_PARAMETERS: tuple[PoolParameter, ...] = (
    PoolParameter(
        "gpu_type", str, "nvidia.com/gpu", "Resource name of the accelerator on the nodes."
    ),
    # A string, because the driver of KFP 2.17 ignores resources of any other type.
    PoolParameter("gpu_count", str, "1", "Accelerators of each GPU step; 0 to run on CPUs."),
    *_pool("gpu", "GPU steps", ("8", "16"), ("32Gi", "64Gi"), _TOLERATIONS),
    *_pool("light", "light steps", ("500m", "2"), ("1Gi", "4Gi"), []),
)


@dataclass(frozen=True)
class _Building:
    """Settings for the steps of the pipeline that is being built."""

    pools: Mapping[str, Any]
    options: CompileOptions
    retries: Retries
    labels: Mapping[str, str]


_building: ContextVar[_Building] = ContextVar("_building")


@contextmanager
def placing(
    pools: Mapping[str, Any],
    options: CompileOptions,
    retries: Retries,
    labels: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[None]:
    """Within this context, place steps by these pool parameters and options.

    Args:
        pools: a value or a pipeline parameter for each of `POOL_PARAMETERS`.
        options: compile options.
        retries: retries of each step.
        labels: labels of each step's pod.
    """
    token = _building.set(_Building(pools, options, retries, labels))
    try:
        yield
    finally:
        _building.reset(token)


def at_once() -> int:
    """Return how many loop iterations run at once, so that a search leaves room for others."""
    return _building.get().options.parallelism


def data_claim() -> str:
    """Return the claim that the pods of this pipeline share; empty for none."""
    return _building.get().options.data_claim


def on_light(step: PipelineTask, display_name: str, *, is_long: bool = False) -> PipelineTask:
    """Place a step that only uses the store; a long one gets the timeout of a GPU step."""
    options = _building.get().options
    timeout_s = options.gpu_timeout_s if is_long else options.light_timeout_s
    return _placed(step, display_name, "light", timeout_s)


def on_gpu(step: PipelineTask, display_name: str) -> PipelineTask:
    """Place a step that trains or measures."""
    building = _building.get()
    pools = building.pools
    step.set_accelerator_type(pools["gpu_type"]).set_accelerator_limit(pools["gpu_count"])
    step.register_pipeline_channels([pools["gpu_type"], pools["gpu_count"]])
    kubernetes.empty_dir_mount(
        step,
        volume_name="shared-memory",
        mount_path=SHARED_MEMORY_PATH,
        medium="Memory",
        size_limit=building.options.shared_memory,
    )
    pod_settings.set_scratch(step, building.options.scratch)
    if building.options.data_claim:
        pod_settings.mount_claim(step, building.options.data_claim)
    return _placed(step, display_name, "gpu", building.options.gpu_timeout_s)


def _placed(step: PipelineTask, display_name: str, pool: str, timeout_s: int) -> PipelineTask:
    building = _building.get()
    pools = {
        name.removeprefix(f"{pool}_"): value
        for name, value in building.pools.items()
        if name.startswith(f"{pool}_")
    }
    step.set_display_name(display_name)
    step.set_cpu_request(pools["cpu_request"]).set_cpu_limit(pools["cpu_limit"])
    step.set_memory_request(pools["memory_request"]).set_memory_limit(pools["memory_limit"])
    # KFP 2.17 passes a parameter into a loop only if a step takes it as an input, not if only its
    # resources refer to it: without this call the references would lead nowhere.
    step.register_pipeline_channels(
        pipeline_channel.extract_pipeline_channels_from_any(list(pools.values()))
    )
    kubernetes.add_node_selector_json(step, pools["node_selector"])
    for tolerations in _as_kfp_takes_them(pools["tolerations"]):
        kubernetes.add_toleration_json(step, tolerations)
    kubernetes.add_node_affinity_json(step, pools["affinity"])
    if building.options.image:
        step.set_container_image(building.options.image)
    pod_settings.set_user(step)
    pod_settings.set_store_keys(step, building.options.secret_of(step.component_spec.name))
    pod_settings.set_annotations(step)
    pod_settings.set_labels(step, building.labels)
    kubernetes.set_timeout(step, timeout_s)
    # All steps change the store or depend on what is in it.
    step.set_caching_options(enable_caching=False)
    if building.options.retried:
        pod_settings.set_patience(step)
        step.set_retry(
            building.retries.count,
            backoff_duration=f"{building.retries.backoff_s}s",
            backoff_factor=BACKOFF_FACTOR,
            backoff_max_duration=f"{building.retries.window_s(timeout_s)}s",
        )
    return step


def _as_kfp_takes_them(tolerations: Any) -> list[Any]:
    """Return a parameter as is, or the entries of a fixed list: KFP takes one mapping at a time."""
    return tolerations if isinstance(tolerations, list) else [tolerations]
