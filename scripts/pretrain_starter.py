r"""Pretrain a model of the package's own zoo, and write its weights, card and source features.

    python scripts/pretrain_starter.py ET-NAS-A --data ../shared/data/tinyimagenet200.zip
    python scripts/pretrain_starter.py torchvision:resnet18 --data images/
    python scripts/pretrain_starter.py ET-NAS-A --data tinyimagenet200.zip --resolution 96 \
        --teacher efficientnet-lite2 --unlabelled cifar10.zip dtd10.zip --output build/taught

Resumable: the same command continues from its checkpoint in --work, which also has the metrics of
its epochs and the features of the teacher. The result goes into --output, by default
nasoa/zoo/weights/; `python -m benchmarks.transfer` compares what is elsewhere with the packaged
weights, and `python -m scripts.ship_weights` puts it into the package. With several processes:

    torchrun --nproc-per-node 2 scripts/pretrain_starter.py ET-NAS-A --data images/
"""

from __future__ import annotations

import argparse
import dataclasses
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
from nasoa.training.processes import Processes, process_group
from nasoa.zoo.backbones import Builder, in_stages
from nasoa.zoo.entries import REFERENCE_MODEL, WEIGHTS_FOLDER, Card
from nasoa.zoo.et_nas import ET_NAS
from nasoa.zoo.library import Pretraining
from nasoa.zoo.networks import describe
from nasoa.zoo.published import IMAGENET_MEAN, IMAGENET_STD
from nasoa.zoo.weight_files import to_safetensors

VAL_FRACTION = 0.05  # 1,400 of 28,000 images are enough to choose a checkpoint


def main() -> None:
    """Pretrain or resume, and write the result into the package."""
    arguments = _parse()
    with process_group() as processes:
        _run(arguments, processes)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "model", help="a name of Table 10, like ET-NAS-A, torchvision:NAME, or an encoding"
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=PretrainConfig.small().epochs)
    parser.add_argument("--batch-size", type=int, default=PretrainConfig.small().batch_size)
    parser.add_argument("--lr", type=float, help="default: that of the recipe for the batch size")
    parser.add_argument("--resolution", type=int, default=PretrainConfig.small().resolution)
    parser.add_argument("--teacher", default="", help="a packaged model, as in nasoa zoo build")
    parser.add_argument(
        "--teacher-resolution", type=int, metavar="PX", help="default: its own, at most 160"
    )
    parser.add_argument("--teacher-views", type=int, metavar="N", help="default: 4")
    parser.add_argument("--unlabelled", nargs="+", default=[], metavar="DATA")
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--work", type=Path, default=Path("build/pretrain"))
    parser.add_argument("--output", type=Path, default=WEIGHTS_FOLDER)
    arguments = parser.parse_args()
    if arguments.unlabelled and not arguments.teacher:
        parser.error("expected --teacher for images without labels")
    if not arguments.teacher and (arguments.teacher_resolution or arguments.teacher_views):
        parser.error("expected --teacher with --teacher-resolution and --teacher-views, got none")
    return arguments


def _run(arguments: argparse.Namespace, processes: Processes) -> None:
    use_threads(max(1, num_cores() // processes.local_count))
    config = PretrainConfig.small()
    teacher_resolution = arguments.teacher_resolution or config.teacher_resolution
    if arguments.teacher and not arguments.teacher_resolution:
        teacher_resolution = default_teacher_resolution(arguments.teacher, teacher_resolution)
    config = dataclasses.replace(
        config,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        # Goyal et al. 2017
        lr=arguments.lr or config.lr * arguments.batch_size / config.batch_size,
        resolution=arguments.resolution,
        teacher=arguments.teacher,
        teacher_resolution=teacher_resolution,
        teacher_views=arguments.teacher_views or config.teacher_views,
    )
    data, *others = (_read(text, config) for text in (arguments.data, *arguments.unlabelled))
    torch.manual_seed(config.seed)
    model = start(arguments.model, len(data.class_names), config.resolution)
    # Another recipe begins anew.
    data_digests = [fingerprint(text) for text in (arguments.data, *arguments.unlabelled)]
    digest = recipe_digest(config, data_digests)
    checkpoint = arguments.work / f"{model.name}-{digest}.safetensors"
    metrics = checkpoint.with_suffix(".jsonl")
    state = processes.from_first(lambda: _load(checkpoint))
    result = pretrain(
        model.network,
        data,
        config,
        compute=Compute(precision_for(model.network), processes),
        limit_s=arguments.hours * 3600,
        journal=Journal(
            save=lambda state: _replace(checkpoint, to_bytes(state)),
            epochs=lambda epochs: _record(epochs, metrics),
            state=state,
            kept=_kept(metrics, state),
        ),
        lesson=_lesson(data, others, config, arguments.work),
    )
    command = (
        f"python scripts/pretrain_starter.py {shlex.quote(arguments.model)} "
        f"--data {Path(arguments.data).name} --epochs {arguments.epochs} "
        f"--batch-size {arguments.batch_size}"
    )
    if arguments.lr:
        command += f" --lr {arguments.lr:g}"
    if arguments.resolution != PretrainConfig.small().resolution:
        command += f" --resolution {arguments.resolution}"
    if config.teacher:
        command += (
            f" --teacher {config.teacher} --teacher-resolution {config.teacher_resolution}"
            f" --teacher-views {config.teacher_views}"
        )
    if others:
        command += f" --unlabelled {' '.join(Path(text).name for text in arguments.unlabelled)}"
    if processes.is_first:
        write_model(model, data, config, result, command, arguments.output)


def _read(data: str, config: PretrainConfig) -> ImageDataset:
    """Read a data set, with images as large as student and teacher need them."""

    def load(resolution: int) -> ImageDataset:
        data_config = DataConfig(val_fraction=VAL_FRACTION)
        return load_dataset(data, seed=config.seed, resolution=resolution, config=data_config)

    return load_source(load, config)


def _lesson(
    data: ImageDataset, others: Sequence[ImageDataset], config: PretrainConfig, work: Path
) -> Lesson | None:
    """Return a lesson whose features stay in `work`, for all students of the same images."""
    if not config.teacher:
        return None
    return Lesson(
        with_unlabelled(data, others) if others else data,
        packaged_teacher(config.teacher, config.teacher_resolution),
        views=config.teacher_views,
        min_scale=config.min_scale,
        seed=config.seed,
        folder=FeatureFolder(work / "lessons"),
    )


@dataclass(frozen=True)
class Model:
    """The model to pretrain: see `ZooEntry`, which receives these values."""

    name: str
    network: StagedNetwork
    family: str
    encoding: str = ""
    builder: str = ""


def start(name: str, num_classes: int, resolution: int) -> Model:
    """Return a model with fresh weights.

    Raises:
        UnknownName: neither a name of Table 10 nor one of torchvision; suggests similar names.
        EncodingError: the encoding is of no network.
    """
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


def write_model(
    model: Model,
    data: ImageDataset,
    config: PretrainConfig,
    result: Pretrained,
    command: str,
    folder: Path = WEIGHTS_FOLDER,
) -> None:
    """Write weights and card, and in the package the source features of the reference model."""
    entry = describe(
        model.network,
        Pretraining(
            name=model.name,
            resolution=config.resolution,
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
        command=command,
        note="A small network, a small pretraining set, small images: not an ImageNet model.",
    )
    weights = to_safetensors(model.network.state_dict())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{model.name}.safetensors").write_bytes(weights)
    (folder / f"{model.name}.json").write_bytes(to_json(card))
    if model.name == REFERENCE_MODEL and folder == WEIGHTS_FOLDER:
        write_source_features(entry, weights, data)
        sys.stderr.write(
            "The package's reference model has changed; docs/pretraining.md (Replacing weights of "
            "the package) lists what must be made anew.\n"
        )


def _replace(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        partial.write_bytes(raw)


def _record(epochs: Sequence[EpochMetrics], path: Path) -> None:
    _replace(path, to_json_lines(epochs))
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {epoch_in_words(epochs[-1])}\n")


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
