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
    """Rank models and regimes by their predicted accuracy within the task's time limit.

    Args:
        task: The task as JSON, from compute_meta_features.
        store: Store of models and experience: a folder or s3://bucket/prefix.
        candidates: Page with the best regimes and their predicted accuracies.
        predictor: Version of the predictor that was used.
        zoo: Versions of the zoos that the models are from.

    Returns:
        The recommendation as JSON, for finetune.
    """
    from nasoa.steps import kfp_steps

    return kfp_steps.predict_regime(task, store, candidates.path, predictor, zoo)
