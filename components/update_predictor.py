"""Component 4 of a task: update the predictor with the result."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def update_predictor(
    task_id: str,
    store: str,
    metrics: dsl.Output[dsl.Metrics],
    predictor: dsl.Output[dsl.Model],
) -> str:
    """Teach the predictor what came of a task, and of all others that it does not know yet.

    Args:
        task_id: The task's id, from finetune.
        store: Where models and experience are kept: a folder or s3://bucket/prefix.
        metrics: The new version, and how far off the prediction was.
        predictor: The version that was made.

    Returns:
        The task's result as JSON.
    """
    from nasoa.steps import kfp_steps

    return kfp_steps.update_predictor(task_id, store, metrics, predictor)
