r"""Pretrain a model of the package's own zoo, and write its weights, card and source features.

    python scripts/pretrain_starter.py ET-NAS-A --data tinyimagenet200.zip
    python scripts/pretrain_starter.py torchvision:resnet18 --data images/
    python scripts/pretrain_starter.py "020- 32 11-21-21-21" --name resnet18-narrow \
        --family ResNet --data images/
    python scripts/pretrain_starter.py ET-NAS-A --data tinyimagenet200.zip --resolution 96 \
        --teacher efficientnet-lite2 --unlabelled cifar10.zip dtd10.zip --output build/taught

Resumable: the same command continues from its checkpoint in --work, which also has the metrics of
its epochs and the features of the teacher. The result goes into --output, by default
nasoa/zoo/weights/; `python -m benchmarks.transfer` compares what is elsewhere with the packaged
weights, and `python -m scripts.ship_weights` puts it into the package.
`python -m scripts.teach_package` pretrains several models with a teacher. With several processes:

    torchrun --nproc-per-node 2 scripts/pretrain_starter.py ET-NAS-A --data images/
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.cli.zoo import epoch_in_words
from nasoa.config import DataConfig, PretrainConfig
from nasoa.cores import num_cores
from nasoa.data import ImageDataset, load_dataset, with_unlabelled
from nasoa.data.fingerprint import fingerprint
from nasoa.errors import UnknownName
from nasoa.offline.epoch_log import from_json_lines, to_json_lines
from nasoa.offline.feature_file import FeatureFolder
from nasoa.offline.pretrain import Compute, Journal, Pretrained, pretrain, recipe_digest
from nasoa.offline.search import architecture_hash
from nasoa.offline.source_images import load_source
from nasoa.offline.teacher import default_teacher_resolution, packaged_teacher
from nasoa.offline.teacher_features import Lesson
from nasoa.online.task.source_features import write_source_features
from nasoa.partial_file import whole_file
from nasoa.records import EpochMetrics, to_json
from nasoa.training.checkpoint import RunState, from_bytes, to_bytes
from nasoa.training.hardware import hardware_key, use_threads
from nasoa.training.precision import precision_for
from nasoa.training.processes import ALONE, Processes, process_group
from nasoa.zoo.backbones import Builder, in_stages
from nasoa.zoo.entries import REFERENCE_MODEL, WEIGHTS_FOLDER, Card, packaged_cards
from nasoa.zoo.et_nas import ET_NAS
from nasoa.zoo.library import Pretraining
from nasoa.zoo.networks import describe
from nasoa.zoo.published import IMAGENET_MEAN, IMAGENET_STD
from nasoa.zoo.weight_files import to_safetensors

VAL_FRACTION = 0.05  # 1,400 of 28,000 images are enough to choose a checkpoint


@dataclass(frozen=True, kw_only=True)
class Request:
    """A pretraining.

    Args:
        model: a name of Table 10, `torchvision:NAME`, or an encoding.
        name: name in the zoo; "" for that of `model`.
        family: name of the family of architectures; "" for that of `model`.
        data: DATA with labels.
        unlabelled: further DATA, whose training images a teacher explains.
        config: the recipe.
        limit_s: total seconds, by which the schedule ends at the latest.
        work: folder of checkpoints, metrics and the teacher's features.
        output: folder of the result.
    """

    model: str
    name: str = ""
    family: str = ""
    data: str
    unlabelled: tuple[str, ...] = ()
    config: PretrainConfig
    limit_s: float
    work: Path
    output: Path = WEIGHTS_FOLDER

    @property
    def command(self) -> str:
        """The command that makes the same model; DATA without folders."""
        config, standard = self.config, PretrainConfig.small()
        text = f"python scripts/pretrain_starter.py {shlex.quote(self.model)}"
        for option in ("name", "family"):
            if value := getattr(self, option):
                text += f" --{option} {shlex.quote(value)}"
        text += (
            f" --data {Path(self.data).name} --epochs {config.epochs} "
            f"--batch-size {config.batch_size}"
        )
        if config.lr != usual_lr(config.batch_size):
            text += f" --lr {config.lr:g}"
        if config.resolution != standard.resolution:
            text += f" --resolution {config.resolution}"
        if config.teacher:
            text += (
                f" --teacher {config.teacher} --teacher-resolution {config.teacher_resolution}"
                f" --teacher-views {config.teacher_views}"
            )
        if self.unlabelled:
            text += f" --unlabelled {' '.join(Path(data).name for data in self.unlabelled)}"
        return text


@dataclass(frozen=True)
class Images:
    """What is learned from: images with labels, and a teacher's lesson; without it, the labels."""

    data: ImageDataset
    lesson: Lesson | None = None

    @classmethod
    def of(cls, request: Request) -> Images:
        """Read the data of a pretraining; its model does not matter.

        The lesson's features stay in the folder of the work, for all students of the same images.
        """
        config = request.config
        data, *others = (_read(text, config) for text in (request.data, *request.unlabelled))
        if not config.teacher:
            return cls(data)
        lesson = Lesson(
            with_unlabelled(data, others) if others else data,
            packaged_teacher(config.teacher, config.teacher_resolution),
            views=config.teacher_views,
            min_scale=config.min_scale,
            seed=config.seed,
            folder=FeatureFolder(request.work / "lessons"),
        )
        return cls(data, lesson)


def main() -> None:
    """Pretrain or resume, and write the result into the package."""
    request = _parse()
    with process_group() as processes:
        use_threads(max(1, num_cores() // processes.local_count))
        pretrain_model(request, Images.of(request), processes)


def _parse() -> Request:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "model", help="a name of Table 10, like ET-NAS-A, torchvision:NAME, or an encoding"
    )
    parser.add_argument("--name", default="", help="name in the zoo (default: that of the model)")
    parser.add_argument("--family", default="", help="family (default: that of the model)")
    parser.add_argument("--data", required=True)
    add_recipe(parser)
    parser.add_argument("--unlabelled", nargs="+", default=[], metavar="DATA")
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--work", type=Path, default=Path("build/pretrain"))
    parser.add_argument("--output", type=Path, default=WEIGHTS_FOLDER)
    arguments = parser.parse_args()
    if arguments.unlabelled and not arguments.teacher:
        parser.error("expected --teacher for images without labels")
    if not arguments.teacher and (arguments.teacher_resolution or arguments.teacher_views):
        parser.error("expected --teacher with --teacher-resolution and --teacher-views, got none")
    return Request(
        model=arguments.model,
        name=arguments.name,
        family=arguments.family,
        data=arguments.data,
        unlabelled=tuple(arguments.unlabelled),
        config=recipe(arguments),
        limit_s=arguments.hours * 3600,
        work=arguments.work,
        output=arguments.output,
    )


def add_recipe(parser: argparse.ArgumentParser, teacher: str = "") -> None:
    """Add the options that `recipe` reads.

    Args:
        parser: receives them.
        teacher: the default teacher; "" for none.
    """
    standard = PretrainConfig.small()
    parser.add_argument("--epochs", type=int, default=standard.epochs)
    parser.add_argument("--batch-size", type=int, default=standard.batch_size)
    parser.add_argument("--lr", type=float, help="default: that of the recipe for the batch size")
    parser.add_argument("--resolution", type=int, default=standard.resolution)
    parser.add_argument(
        "--teacher", default=teacher, help="a packaged model, as in nasoa zoo build"
    )
    parser.add_argument(
        "--teacher-resolution", type=int, metavar="PX", help="default: its own, at most 160"
    )
    parser.add_argument("--teacher-views", type=int, metavar="N", help="default: 4")


def recipe(arguments: argparse.Namespace) -> PretrainConfig:
    """Return the recipe of a command line."""
    config = PretrainConfig.small()
    teacher_resolution = arguments.teacher_resolution or config.teacher_resolution
    if arguments.teacher and not arguments.teacher_resolution:
        teacher_resolution = default_teacher_resolution(arguments.teacher, teacher_resolution)
    return dataclasses.replace(
        config,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        lr=arguments.lr or usual_lr(arguments.batch_size),
        resolution=arguments.resolution,
        teacher=arguments.teacher,
        teacher_resolution=teacher_resolution,
        teacher_views=arguments.teacher_views or config.teacher_views,
    )


def usual_lr(batch_size: int) -> float:
    """Return the recipe's learning rate for a batch size (Goyal et al. 2017)."""
    standard = PretrainConfig.small()
    return standard.lr * batch_size / standard.batch_size


class _Interrupted(Exception):
    """The time of a turn is over; a checkpoint has just been saved."""


def pretrain_model(
    request: Request,
    images: Images,
    processes: Processes = ALONE,
    turn_ends_s: float = math.inf,
) -> bool:
    """Pretrain or resume a model, and write it.

    Args:
        request: the pretraining.
        images: its images (`Images.of`), which several pretrainings can share.
        processes: processes that train together; each must call this.
        turn_ends_s: `time.monotonic()` from which on a single process stops at its next
            checkpoint. The schedule does not depend on it.

    Returns:
        Whether the model is finished and written; if not, the same call continues.
    """
    config = request.config
    torch.manual_seed(config.seed)
    model = start(request, len(images.data.class_names))
    # Another recipe begins anew.
    fingerprints = [fingerprint(text) for text in (request.data, *request.unlabelled)]
    digest = recipe_digest(config, fingerprints)
    checkpoint = request.work / f"{model.name}-{digest}.safetensors"
    metrics = checkpoint.with_suffix(".jsonl")
    state = processes.from_first(lambda: _load(checkpoint))

    def save(state: RunState) -> None:
        _replace(checkpoint, to_bytes(state))
        if time.monotonic() >= turn_ends_s:
            raise _Interrupted

    try:
        result = pretrain(
            model.network,
            images.data,
            config,
            compute=Compute(precision_for(model.network), processes),
            limit_s=request.limit_s,
            journal=Journal(
                save=save,
                epochs=lambda epochs: _record(model.name, epochs, metrics),
                state=state,
                kept=_kept(metrics, state),
            ),
            lesson=images.lesson,
        )
    except _Interrupted:
        return False
    if processes.is_first:
        write_model(model, request, images, result)
    return True


def _read(data: str, config: PretrainConfig) -> ImageDataset:
    """Read a data set, with images as large as student and teacher need them."""

    def load(resolution: int) -> ImageDataset:
        data_config = DataConfig(val_fraction=VAL_FRACTION)
        return load_dataset(data, seed=config.seed, resolution=resolution, config=data_config)

    return load_source(load, config)


@dataclass(frozen=True)
class Model:
    """The model to pretrain: see `ZooEntry`, which receives these values."""

    name: str
    network: StagedNetwork
    family: str
    encoding: str = ""
    builder: str = ""


def start(request: Request, num_classes: int) -> Model:
    """Return a model with fresh weights, with the name and family of the request if it has them.

    Raises:
        UnknownName: neither a name of Table 10 nor one of torchvision; suggests similar names.
        EncodingError: the encoding is of no network.
    """
    model = _start(request.model, num_classes, request.config.resolution)
    return dataclasses.replace(
        model, name=request.name or model.name, family=request.family or model.family
    )


def _start(name: str, num_classes: int, resolution: int) -> Model:
    if ":" in name:
        builder = Builder.parse(name)
        model = builder.library.build(builder.name, num_classes, resolution)
        network = in_stages(model, builder, resolution)
        return Model(builder.name, network, type(model).__name__, builder=str(builder))
    published = {row.name: row.encoding for row in ET_NAS}
    if " " in name or "_" in name:
        spec = parse(name)
        network = build_network(spec, num_classes)
        return Model(
            f"searched-{architecture_hash(spec)[:8]}", network, "searched", encoding=str(spec)
        )
    if name not in published:
        raise UnknownName("model", name, published)
    network = build_network(parse(published[name]), num_classes)
    return Model(name, network, "ET-NAS", encoding=published[name])


def write_model(model: Model, request: Request, images: Images, result: Pretrained) -> None:
    """Write weights and card, and in the package the source features of the reference model."""
    data, folder = images.data, request.output
    entry = describe(
        model.network,
        Pretraining(
            name=model.name,
            resolution=request.config.resolution,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            source=data.name,
            accuracy=round(result.val_accuracy, 4),
        ),
        family=model.family,
        encoding=model.encoding,
        builder=model.builder,
    )
    assert result.test_accuracy is not None  # `_read` holds out test images if there are none
    card = Card(
        entry=dataclasses.replace(entry, license="Apache-2.0"),
        epochs=round(result.epochs, 1),
        hours=round(result.elapsed_s / 3600, 3),
        test_accuracy=round(result.test_accuracy, 4),
        num_train=len(data.train),
        hardware=hardware_key(),
        command=request.command,
        note=_note(request, images),
        teacher=request.config.teacher,
        unlabelled=_names(request.unlabelled),
    )
    weights = to_safetensors(model.network.state_dict())
    _replace(folder / f"{model.name}.safetensors", weights)
    # The card comes last: a model with a card is complete.
    _replace(folder / f"{model.name}.json", to_json(card))
    if model.name == REFERENCE_MODEL and folder == WEIGHTS_FOLDER:
        write_source_features(entry, weights, data)
        sys.stderr.write(
            "The package's reference model has changed; docs/pretraining.md (Replacing weights of "
            "the package) lists what must be made anew.\n"
        )


def _note(request: Request, images: Images) -> str:
    """Return what must be known about the weights: what they learned, and from whom."""
    if images.lesson is None:
        return "A small network, a small pretraining set, small images: not an ImageNet model."
    config, source = request.config, images.data.name
    teacher = packaged_cards()[config.teacher].entry
    others = ", ".join(_names(request.unlabelled))
    return (
        f"It learned the outputs of {teacher.name}, which was pretrained on {teacher.source}, at "
        f"{config.teacher_resolution} px for {len(images.lesson.data.train):,} images of {source}"
        + (f" and, without labels, of {others}" if others else "")
        + f"; then its head was fitted to the labels of {source}."
    )


def _names(data: Sequence[str]) -> tuple[str, ...]:
    return tuple(Path(text).stem for text in data)


def _replace(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        partial.write_bytes(raw)


def _record(name: str, epochs: Sequence[EpochMetrics], path: Path) -> None:
    _replace(path, to_json_lines(epochs))
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {name}, {epoch_in_words(epochs[-1])}\n")


def _kept(path: Path, state: RunState | None) -> list[EpochMetrics]:
    """Return the epochs before the checkpoint; those after it are trained again."""
    if state is None or not path.exists():
        return []
    known = from_json_lines(path.read_bytes(), str(path))
    return [epoch for epoch in known if epoch.iteration <= state.iteration]


def _load(path: Path) -> RunState | None:
    return from_bytes(path.read_bytes(), str(path)) if path.exists() else None


if __name__ == "__main__":
    main()
