"""Component 4: learn from what was reached."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def update_predictor(
    task_id: str,
    store: str,
    metrics: dsl.Output[dsl.Metrics],
    predictor: dsl.Output[dsl.Model],
) -> str:
    """Make the predictor's next version; returns the task's result as JSON."""
    from nasoa.steps import kfp_steps

    return kfp_steps.update_predictor(task_id, store, metrics, predictor)
