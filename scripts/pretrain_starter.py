"""Pretrain a model of the package's own zoo, and write its weights, card and source features.

    python scripts/pretrain_starter.py ET-NAS-A --data ../shared/data/tinyimagenet200.zip
    python scripts/pretrain_starter.py torchvision:resnet18 --data images/

Resumable: it continues from the checkpoint in --work, which also has the metrics of its epochs. The
result goes into nasoa/zoo/weights/. With several processes:

    torchrun --nproc-per-node 2 scripts/pretrain_starter.py ET-NAS-A --data images/
"""

from __future__ import annotations

import argparse
import dataclasses
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
from nasoa.data import ImageDataset, load_dataset
from nasoa.errors import UnknownName
from nasoa.offline.epoch_log import from_json_lines, to_json_lines
from nasoa.offline.pretrain import Compute, Journal, Pretrained, pretrain
from nasoa.online.task.source_features import SourceFeatures, describe_source
from nasoa.partial_file import whole_file
from nasoa.records import EpochMetrics, to_json
from nasoa.training.checkpoint import RunState, from_bytes, to_bytes
from nasoa.training.hardware import hardware_key, use_threads
from nasoa.training.precision import best_precision, precision_for
from nasoa.training.processes import Processes, process_group
from nasoa.zoo.backbones import Builder, in_stages
from nasoa.zoo.entries import REFERENCE_MODEL, SOURCE_FEATURES, WEIGHTS_FOLDER, Card
from nasoa.zoo.et_nas import ET_NAS
from nasoa.zoo.library import Pretraining
from nasoa.zoo.networks import describe, load_network
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
    parser.add_argument("model", help="a name of Table 10, like ET-NAS-A, or torchvision:NAME")
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=PretrainConfig.small().epochs)
    parser.add_argument("--batch-size", type=int, default=PretrainConfig.small().batch_size)
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--work", type=Path, default=Path("build/pretrain"))
    return parser.parse_args()


def _run(arguments: argparse.Namespace, processes: Processes) -> None:
    use_threads(max(1, num_cores() // processes.local_count))
    config = PretrainConfig.small()
    config = dataclasses.replace(
        config,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        lr=config.lr * arguments.batch_size / config.batch_size,  # Goyal et al. 2017
    )
    data = load_dataset(
        arguments.data,
        seed=config.seed,
        resolution=config.resolution,
        config=DataConfig(val_fraction=VAL_FRACTION),
    )
    torch.manual_seed(config.seed)
    model = start(arguments.model, len(data.class_names), config.resolution)
    checkpoint = arguments.work / f"{model.name}.safetensors"
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
    )
    command = (
        f"python scripts/pretrain_starter.py {arguments.model} "
        f"--data {Path(arguments.data).name} --epochs {arguments.epochs} "
        f"--batch-size {arguments.batch_size}"
    )
    if processes.is_first:
        write_model(model, data, config, result, command)


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
    """
    if ":" in name:
        builder = Builder.parse(name)
        model = builder.library.build(builder.name, num_classes, resolution)
        network = in_stages(model, builder, resolution)
        return Model(builder.name, network, type(model).__name__, builder=str(builder))
    published = {row.name: row.encoding for row in ET_NAS}
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
) -> None:
    """Write weights and card, and for the reference model the source features, into the package."""
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
    card = Card(
        entry=entry,
        epochs=round(result.epochs, 1),
        hours=round(result.elapsed_s / 3600, 3),
        test_accuracy=round(result.test_accuracy, 4),
        num_train=len(data.train),
        hardware=hardware_key(),
        command=command,
        note="A small network, a small pretraining set, small images: not an ImageNet model.",
    )
    weights = to_safetensors(model.network.state_dict())
    WEIGHTS_FOLDER.mkdir(exist_ok=True)
    (WEIGHTS_FOLDER / f"{model.name}.safetensors").write_bytes(weights)
    (WEIGHTS_FOLDER / f"{model.name}.json").write_bytes(to_json(card))
    if model.name == REFERENCE_MODEL:
        source: SourceFeatures = describe_source(
            load_network(entry, weights), entry, data, best_precision()
        )
        SOURCE_FEATURES.write_bytes(source.to_bytes())


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
