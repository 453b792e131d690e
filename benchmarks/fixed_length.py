"""Train a network for a given number of updates, so that results do not depend on the machine.

The package's own loop trains (`nasoa.training.loop`), on the step clock and with a limit that it
never reaches. Validation selects the checkpoint, and the test images are classified once, at the
end.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.arguments import at_least_one
from benchmarks.machine import RESULTS
from benchmarks.photographs import DATA
from benchmarks.run_log import Row
from benchmarks.shards import add_shard
from benchmarks.starter import TASKS
from nasoa.arch import StagedNetwork
from nasoa.cli.output import seed as parse_seed
from nasoa.config import TrainingConfig
from nasoa.data import ImageDataset
from nasoa.online.tuning.reference_cost import reference_cost
from nasoa.records import Regime, ZooEntry
from nasoa.training.clock import StepClock
from nasoa.training.deadline import Deadline
from nasoa.training.inputs import ImageInputs, InputConfig, Inputs, split_network
from nasoa.training.loop import Trainer
from nasoa.training.precision import precision_for
from nasoa.training.run import RunTime, TrainedPart

TEST_TASKS = tuple(str(DATA / f"{task}.zip") for task in TASKS)
# The size of the test tasks' images, and the smaller batch of `RegimeSpace.small`: more updates.
RESOLUTION, BATCH_SIZE = 64, 32
VALIDATIONS = 2  # half-way and at the end, besides the one at the start
NEVER_S = 1e9


def add_arguments(
    parser: argparse.ArgumentParser, result: str, *, iterations: int, seeds: Sequence[int]
) -> None:
    """Add the arguments that benchmarks of such trainings have in common.

    Args:
        parser: receives them.
        result: name of the file of results.
        iterations: default of `--iterations`.
        seeds: default of `--seeds`.
    """
    runs = Path("build") / f"{Path(result).stem}.jsonl"
    parser.add_argument("data", nargs="*", default=list(TEST_TASKS), metavar="DATA")
    parser.add_argument("--iterations", type=at_least_one, default=iterations, metavar="N")
    parser.add_argument("--seeds", type=parse_seed, nargs="+", default=seeds, metavar="SEED")
    parser.add_argument("--resolution", type=at_least_one, default=RESOLUTION, metavar="PX")
    parser.add_argument("--batch-size", type=at_least_one, default=BATCH_SIZE, metavar="N")
    add_shard(parser)
    parser.add_argument("--threads", type=at_least_one, default=1, metavar="N")
    parser.add_argument("--report", action="store_true", help="train nothing")
    parser.add_argument("--runs", type=Path, default=runs)
    parser.add_argument("--output", type=Path, default=RESULTS / result)


def images(
    network: StagedNetwork,
    data: ImageDataset,
    entry: ZooEntry,
    regime: Regime,
    *,
    seed: int,
    min_scale: float,
) -> ImageInputs:
    """Return a data set's images as inputs of the trained stages, mirrored at random.

    Args:
        network: the network, which is moved to the device.
        data: data set whose mirror images are of the same class.
        entry: zoo entry of the network, for its normalisation.
        regime: resolution, batch size and frozen stages; statistics of these do not adapt.
        seed: random seed for the order of images and augmentation.
        min_scale: smallest fraction of an image's area that a random crop keeps.
    """
    precision = precision_for(network)
    precision.place(network)
    prefix, _trainable = split_network(network, regime.frozen_stages)
    config = InputConfig(
        resolution=regime.resolution,
        mean=entry.mean,
        std=entry.std,
        batch_size=regime.batch_size,
        flip=True,
        min_scale=min_scale,
        seed=seed,
    )
    return ImageInputs(data, prefix, config, precision)


def train(network: StagedNetwork, inputs: Inputs, entry: ZooEntry, regime: Regime) -> Row:
    """Train all but the frozen stages with a regime, and return the accuracies.

    Args:
        network: network to train; it then holds the selected checkpoint.
        inputs: inputs of its trained stages.
        entry: its zoo entry, for the times of its steps.
        regime: the regime, whose iterations are all made.

    Returns:
        Accuracies on validation and test images in [0, 1], the number of test images, how the
        training ended, and the seconds of its steps and validations on the reference machine.
    """
    precision = precision_for(network)
    precision.place(network)
    _prefix, trainable = split_network(network, regime.frozen_stages)
    config = TrainingConfig(
        lr=regime.lr,
        lr_schedule=regime.lr_schedule,
        iterations=regime.iterations,
        batch_size=regime.batch_size,
        num_validations=VALIDATIONS,
    )
    clock = StepClock()
    num_train = inputs.count("train")
    cost = reference_cost(entry, regime, num_train=num_train, num_classes=network.num_classes)
    time = RunTime(Deadline(clock, NEVER_S), work=cost)
    part = TrainedPart(network, trainable)
    result = Trainer(part, inputs, config, precision=precision, time=time).run()
    step_clock_s = clock.elapsed_s()
    num_test = inputs.count("test")
    answers = inputs.evaluate(trainable, "test", num_test)
    correct = sum(int((logits.argmax(1) == labels).sum()) for logits, labels in answers)
    return {
        "val_accuracy": result.val_accuracy,
        "accuracy": correct / num_test,
        "num_test": num_test,
        "ended": result.ended,
        "step_clock_s": round(step_clock_s, 4),
    }
