"""Component 2: choose a model and a regime that fit the time limit."""

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
    """Rank the regimes that fit; returns the best ones as JSON."""
    from nasoa.steps import kfp_steps

    return kfp_steps.predict_regime(task, store, candidates.path, predictor, zoo)
