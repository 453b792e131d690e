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
    """Fine-tune the chosen model within the time limit, test it once, and save it in the store.

    It goes on from its last checkpoint where it is started again.

    Args:
        task: The task as JSON, from compute_meta_features.
        recommendation: The regimes as JSON, from predict_regime.
        store: Where models and experience are kept: a folder or s3://bucket/prefix.
        model: Where the model is, with its accuracy and regime.
        metrics: Accuracy, predicted accuracy, and time.
        report: The curve, the confusion of classes and the candidates, as a page.
        decoded: The decoded images, from compute_meta_features; without them the data is read.

    Returns:
        The task's id, for update_predictor; the model is model/ID in the store.
    """
    from nasoa.steps import kfp_steps

    return kfp_steps.finetune(task, recommendation, store, model, metrics, report.path, decoded)
