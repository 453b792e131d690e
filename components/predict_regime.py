"""Component 2 of a task: choose a model and a regime that fit the time limit."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def predict_regime(
    task: str,
    store: str,
    candidates: dsl.Output[dsl.Markdown],
    predictor: dsl.Output[dsl.Model],
    zoo: dsl.Output[dsl.Dataset],
) -> str:
    """Choose the models and regimes that will be best within a task's time limit.

    Args:
        task: The task as JSON, from compute_meta_features.
        store: Where models and experience are kept: a folder or s3://bucket/prefix.
        candidates: The best regimes with their predicted accuracy, as a page.
        predictor: The version of the predictor that chose.
        zoo: The zoos that models were chosen from.

    Returns:
        The best regimes as JSON, for finetune.
    """
    from nasoa.steps import kfp_steps

    return kfp_steps.predict_regime(task, store, candidates.path, predictor, zoo)
