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
    """Read the data of a task and compute its meta-features, on which predictions are based.

    Args:
        data: Images: a folder of class folders, a .zip or .tar of one, .npz, or s3://bucket/prefix.
        time_limit: Time limit of the whole task, like 45s, 10m or 1h30m.
        store: Store of models and experience: a folder or s3://bucket/prefix.
        seed: Random seed; the same seed gives the same splits and training.
        clock: wall for real time; steps for results that do not depend on the machine's speed.
        method: default; paper to choose the regime by Algorithm 3 of the paper.
        summary: Page that describes the data set and its meta-features.
        decoded: The decoded images, for finetune; empty if decoding them again is faster.

    Returns:
        The task as JSON, for predict_regime and finetune.
    """
    from nasoa.steps import kfp_steps

    return kfp_steps.compute_meta_features(
        store, kfp_steps.TaskForm(data, time_limit, seed, clock, method), summary.path, decoded
    )
