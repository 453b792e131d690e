"""Component 1: read the data and measure its meta-features."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def compute_meta_features(
    data: str,
    time_limit: str,
    store: str,
    seed: int,
    clock: str,
    summary: dsl.Output[dsl.Markdown],
) -> str:
    """Measure what the predictor asks for; returns the task as JSON."""
    from nasoa.steps import kfp_steps

    return kfp_steps.compute_meta_features(data, time_limit, store, seed, clock, summary.path)
