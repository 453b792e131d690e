"""A pipeline with pools, secrets and nesting, for tests of what its pods request."""

from kfp import dsl, kubernetes


@dsl.component(base_image="registry.test/nasoa:1", install_kfp_package=False)
def light(seed: int) -> str:
    return str(seed)


@dsl.component(base_image="registry.test/nasoa-gpu:1", install_kfp_package=False)
def heavy(item: str, accelerator: str, count: str) -> str:
    return f"{item} on {count} {accelerator}"


@dsl.pipeline(name="pooled", description="Pools.")
def pooled(
    selector: dict = {"pool": "gpu"},  # noqa: B006  (kfp copies it)
    tolerations: dict = {"key": "gpu", "operator": "Exists"},  # noqa: B006
    accelerator: str = "nvidia.com/gpu",
    count: str = "1",
) -> None:
    """Pools.

    Args:
        selector: Labels of the nodes of the heavy steps.
        tolerations: Of the heavy steps.
        accelerator: Of the heavy steps.
        count: Of accelerators.
    """
    first = light(seed=1)
    kubernetes.add_node_selector(first, "pool", "cpu")
    kubernetes.use_secret_as_env(
        first,
        secret_name="nasoa-s3",
        secret_key_to_env={"access": "AWS_ACCESS_KEY_ID", "secret": "AWS_SECRET_ACCESS_KEY"},
    )
    with dsl.ParallelFor(["a", "b"]) as item:
        # kfp passes a parameter into a loop only if a step takes it, not if only a resource does.
        inner = heavy(item=item, accelerator=accelerator, count=count)
        inner.set_accelerator_type(accelerator).set_accelerator_limit(count)
        kubernetes.add_node_selector_json(inner, selector)
        kubernetes.add_toleration_json(inner, tolerations)


@dsl.component(base_image="registry.test/nasoa-gpu:1", install_kfp_package=False)
def heavy_alone(item: str) -> str:
    return item


@dsl.pipeline(name="dangling", description="A count that does not reach its step.")
def dangling(count: str = "1") -> None:
    with dsl.ParallelFor(["a", "b"]) as item:
        heavy_step = heavy_alone(item=item)
        heavy_step.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(count)
