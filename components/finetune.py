"""Component 3: fine-tune inside the time limit."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def finetune(
    task: str,
    recommendation: str,
    store: str,
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
) -> str:
    """Train, test, save and record; returns the task's id."""
    from nasoa.steps import kfp_steps

    return kfp_steps.finetune(task, recommendation, store, model, metrics, report.path)
