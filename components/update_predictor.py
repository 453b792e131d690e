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
    """Learn the result of a task, and all other results that the predictor has not learned yet.

    Args:
        task_id: The task's id, from finetune.
        store: Store of models and experience: a folder or s3://bucket/prefix.
        metrics: Number of the new version, and the error of the prediction.
        predictor: The new version of the predictor.

    Returns:
        The task's result as JSON.
    """
    from nasoa.steps import kfp_steps

    return kfp_steps.update_predictor(task_id, store, metrics, predictor)
