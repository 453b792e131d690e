"""The pipeline of a user's task: describe it, choose a regime, fine-tune, and learn from it."""

from dataclasses import replace

from nasoa.components.compute_meta_features import compute_meta_features
from nasoa.components.finetune import finetune
from nasoa.components.predict_regime import predict_regime
from nasoa.components.update_predictor import update_predictor
from nasoa.pipelines.definition import Definition
from nasoa.pipelines.placement import ONLINE, on_gpu, on_light


def finetune_task(
    data: str,
    store: str,
    time_limit: str = "60s",
    seed: int = 0,
    clock: str = "wall",
    method: str = "default",
) -> str:
    """Fine-tune the best image classifier that a time limit allows, and learn from it.

    Args:
        data: Images: a folder of class folders, a .zip or .tar of one, .npz, or s3://bucket/prefix.
        store: Store of models and experience: a folder or s3://bucket/prefix.
        time_limit: Time limit of the whole task, like 45s, 10m or 1h30m.
        seed: Random seed; the same seed gives the same splits and training.
        clock: wall for real time; steps for results that do not depend on the machine's speed.
        method: default; paper to choose the regime by Algorithm 3 of the paper.

    Returns:
        The task's result as JSON.
    """
    # Describing measures step times, so it runs on the hardware that trains.
    described = on_gpu(
        compute_meta_features(
            data=data,
            time_limit=time_limit,
            store=store,
            seed=seed,
            clock=clock,
            method=method,
        ),
        "Compute meta-features",
    )
    task = described.outputs["Output"]
    chosen = on_light(predict_regime(task=task, store=store), "Predict regime")
    tuned = on_gpu(
        finetune(
            task=task,
            recommendation=chosen.outputs["Output"],
            store=store,
            decoded=described.outputs["decoded"],
        ),
        "Fine-tune",
    )
    learned = on_light(
        update_predictor(task_id=tuned.outputs["Output"], store=store), "Update predictor"
    )
    result: str = learned.outputs["Output"]
    return result


FINETUNE_TASK = Definition(
    name="finetune_task",
    body=finetune_task,
    display_name="Fine-tune a task",
    description="Fine-tune the best image classifier that a time limit allows, and learn from it.",
    subject="data",
    retries=ONLINE,
)

# For the user interface: its form does not ask for what a site compiles in.
FINETUNE_IMAGES = replace(
    FINETUNE_TASK,
    name="finetune_images",
    display_name="Fine-tune on your images",
    shown=("data", "time_limit"),
)
