"""Component 3 of a task: fine-tune within the time limit."""

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
    decoded: dsl.Input[dsl.Dataset] = None,
) -> str:
    """Fine-tune the recommended model within the time limit, test it once, and save it.

    If it is restarted, it resumes from its last checkpoint.

    Args:
        task: The task as JSON, from compute_meta_features.
        recommendation: The recommendation as JSON, from predict_regime.
        store: Store of models and experience: a folder or s3://bucket/prefix.
        model: The saved model, with its accuracy and regime.
        metrics: Measured accuracy, predicted accuracy and elapsed time.
        report: Page with the learning curve, the confusion matrix and the candidates.
        decoded: The decoded images, from compute_meta_features; if absent, the data is read again.

    Returns:
        The task's id, for update_predictor; the model is model/ID in the store.
    """
    from nasoa.steps import kfp_steps

    return kfp_steps.finetune(task, recommendation, store, model, metrics, report.path, decoded)
