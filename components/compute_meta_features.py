"""Component 1 of a task: read the data and measure its meta-features."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def compute_meta_features(
    data: str,
    time_limit: str,
    store: str,
    summary: dsl.Output[dsl.Markdown],
    decoded: dsl.Output[dsl.Dataset],
    seed: int = 0,
    clock: str = "wall",
    method: str = "default",
) -> str:
    """Read the data of a task and measure what the predictor asks for.

    Args:
        data: Images: a folder of class folders, a .zip or .tar of one, .npz, or s3://bucket/prefix.
        time_limit: How long the task may take in all, like 45s, 10m or 1h30m.
        store: Where models and experience are kept: a folder or s3://bucket/prefix.
        seed: Splits and training are the same for the same seed.
        clock: wall for real time, steps for a result that does not depend on the machine's speed.
        method: default, or paper to choose the regime by Algorithm 3 of the paper.
        summary: The data set and its meta-features, as a page.
        decoded: The decoded images, for finetune; empty if decoding them again is quicker.

    Returns:
        The task as JSON, for predict_regime and finetune.
    """
    from nasoa.steps import kfp_steps

    return kfp_steps.compute_meta_features(
        store, kfp_steps.TaskForm(data, time_limit, seed, clock, method), summary.path, decoded
    )
