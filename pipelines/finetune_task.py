"""One user's task: describe it, choose a regime, fine-tune inside the limit, learn from it."""

from kfp import dsl

from nasoa.components.compute_meta_features import compute_meta_features
from nasoa.components.finetune import finetune
from nasoa.components.predict_regime import predict_regime
from nasoa.components.update_predictor import update_predictor


@dsl.pipeline(
    name="finetune-task",
    display_name="Fine-tune a task",
    description="Fine-tune the best image classifier that a time limit allows, and learn from it.",
)
def finetune_task(
    data: str, time_limit: str = "60s", store: str = "./.nasoa", seed: int = 0, clock: str = "wall"
) -> str:
    """Fine-tune the best image classifier that a time limit allows, and learn from it.

    Args:
        data: Images: a folder of class folders, a .zip or .tar of one, .npz, or s3://bucket/prefix.
        time_limit: How long it may take in all, like 45s, 10m or 1h30m.
        store: Where models and experience are kept: a folder or s3://bucket/prefix.
        seed: Splits and training are the same for the same seed.
        clock: wall for real time, steps for a result that does not depend on the machine's speed.

    Returns:
        The task's result as JSON.
    """
    described = compute_meta_features(
        data=data, time_limit=time_limit, store=store, seed=seed, clock=clock
    ).set_display_name("Compute meta-features")
    chosen = predict_regime(task=described.outputs["Output"], store=store).set_display_name(
        "Predict regime"
    )
    tuned = finetune(
        task=described.outputs["Output"], recommendation=chosen.outputs["Output"], store=store
    ).set_display_name("Fine-tune")
    learned = update_predictor(task_id=tuned.outputs["Output"], store=store).set_display_name(
        "Update predictor"
    )
    for step in (described, chosen, tuned, learned):
        # Each has effects on the store, or depends on what is in it.
        step.set_caching_options(enable_caching=False)
    result: str = learned.outputs["Output"]
    return result
