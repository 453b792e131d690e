"""`nasoa zoo`: list, add, pretrain and profile models."""

from __future__ import annotations

import argparse
import math
import sys
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from nasoa.cli.output import Subparsers, counting_bar, show, table, user_path, work_bars
from nasoa.cli.zoo_pull import add_pull
from nasoa.config import PretrainConfig, preset
from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput, NasoaError
from nasoa.records import EpochMetrics, ZooEntry
from nasoa.steps.limit_bar import limit_bar
from nasoa.steps.termination import exit_on_sigterm
from nasoa.store import open_store
from nasoa.training.clock import WallClock

if TYPE_CHECKING:
    from nasoa.training.processes import Processes
    from nasoa.zoo.step_times import StepTime

RECIPE = ("epochs", "lr", "resolution", "teacher", "teacher_resolution")


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `zoo list`, `show`, `add`, `pull`, `import`, `build` and `profile`."""
    group = verbs.add_parser("zoo", help="pretrained models")
    own = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    own.add_parser("list", parents=[shared], help="list all models").set_defaults(run=run_list)
    card = own.add_parser("show", parents=[shared], help="a model, and how it was pretrained")
    card.add_argument("model", help="name of a model, as nasoa zoo list prints it")
    card.set_defaults(run=run_show)
    _add_add(own.add_parser("add", parents=[shared], help="add a backbone from another library"))
    add_pull(own, shared)
    imports = own.add_parser("import", parents=[shared], help="import published ET-NAS checkpoints")
    imports.add_argument("folder", type=user_path, help="folder with *.pth or *.pth.tar files")
    imports.set_defaults(run=run_import)
    build = own.add_parser(
        "build", parents=[shared], help="pretrain the best models of a search for the zoo"
    )
    build.add_argument("--search", required=True, metavar="NAME", help="search to choose from")
    build.add_argument(
        "--models", type=int, default=12, metavar="N", help="number of models (default: 12)"
    )
    build.add_argument("--data", required=True, help="images to pretrain on")
    build.add_argument(
        "--zoo", default="searched", metavar="NAME", help="name of the zoo (default: searched)"
    )
    build.add_argument(
        "--scale", choices=("small", "paper"), default="small", help="recipe (default: small)"
    )
    build.add_argument("--epochs", type=int, help="epochs (default: those of the recipe)")
    build.add_argument("--lr", type=float, help="peak learning rate (default: that of the recipe)")
    build.add_argument("--resolution", type=int, help="pixels (default: that of the recipe)")
    build.add_argument(
        "--teacher",
        default="",
        metavar="MODEL",
        help="learn the outputs of this packaged model, and fit the head to the labels",
    )
    build.add_argument(
        "--teacher-resolution",
        type=int,
        metavar="PX",
        help="resolution of the teacher's images (default: its own, at most 160)",
    )
    build.add_argument(
        "--unlabelled",
        nargs="+",
        default=[],
        metavar="DATA",
        help="more images to learn from with --teacher; their labels are not used",
    )
    build.add_argument("--time-limit", default="6h", help="time limit of each model (default: 6h)")
    build.set_defaults(run=run_build)
    profile = own.add_parser("profile", parents=[shared], help="measure step times here")
    profile.add_argument("models", nargs="*", help="names of models (default: all)")
    profile.add_argument("--repeats", type=int, default=10, help="steps measured (default: 10)")
    profile.set_defaults(run=run_profile)


def _add_add(add: argparse.ArgumentParser) -> None:
    add.add_argument(
        "model",
        help="torchvision:NAME[:WEIGHTS], timm:NAME, lite:NAME, or FILE with --encoding",
    )
    add.add_argument("--encoding", default="", help="architecture of FILE")
    add.add_argument(
        "--weights", type=user_path, help="file with the weights of a library's network"
    )
    add.add_argument(
        "--name", default="", help="name in the zoo (default: from the network and its weights)"
    )
    add.add_argument(
        "--resolution",
        type=int,
        default=0,
        help="pixels (default: that of the weights, 224 for FILE)",
    )
    add.add_argument(
        "--accuracy", type=float, help="accuracy on the source's validation images, like 0.75"
    )
    add.add_argument("--source", default="", help="data set of the pretraining (default: ImageNet)")
    add.set_defaults(run=run_add)


def run_list(arguments: argparse.Namespace) -> None:
    """Print the packaged models and those of the store."""
    from nasoa.steps import zoo as steps  # noqa: PLC0415

    zoo = steps.load_zoo(open_store(arguments.store))
    entries = sorted(zoo.entries.values(), key=lambda entry: (entry.macs, entry.name))
    rows = [
        (
            entry.name,
            entry.encoding or entry.builder,
            round(entry.num_params / 1e6, 1),
            round(entry.macs / 1e6),
            entry.resolution,
            entry.source,
            round(entry.source_accuracy, 3),
        )
        for entry in entries
    ]
    header = ("model", "network", "Mparam", "MMAC", "px", "pretrained on", "accuracy")
    documents = [{**_plain(entry), "macs": entry.macs} for entry in entries]
    show(arguments, documents, table(header, rows))


def run_show(arguments: argparse.Namespace) -> None:
    """Print a model's entry, its pretraining, and its step time on the reference machine."""
    from nasoa.steps import zoo as steps  # noqa: PLC0415
    from nasoa.zoo.entries import packaged_cards  # noqa: PLC0415

    entry = steps.load_zoo(open_store(arguments.store)).entry(arguments.model)
    card = packaged_cards().get(entry.name)
    if card is not None and card.entry != entry:
        card = None  # the store has another model of the same name
    row = _full_step(entry) if card else None
    lines = {
        "model": entry.name,
        "network": entry.encoding or entry.builder,
        "size": f"{entry.num_params / 1e6:.1f} Mparam, {entry.macs / 1e6:.0f} MMAC at "
        f"{entry.resolution} px",
        "pretrained on": f"{entry.source}, {entry.num_classes} classes",
        "accuracy": f"{entry.source_accuracy:.3f} on validation images",
        "licence": entry.license or "unknown",
    }
    if card is not None:
        if card.epochs is not None:
            lines["accuracy"] += f", {card.test_accuracy:.3f} on test images"
            lines["pretraining"] = (
                f"{card.num_train} images, {card.epochs:g} epochs in {card.hours:g} h on "
                f"{card.hardware}: {card.command}"
            )
        lines["note"] = card.note
    if row is not None:
        lines["step"] = (
            f"{1000 * row.step_s:.0f} ms with a batch of {row.batch_size} at {row.resolution} px "
            f"on {row.hardware}"
        )
    width = max(map(len, lines))
    document = {
        **_plain(entry),
        "macs": entry.macs,
        "pretraining": None
        if card is None
        else {key: value for key, value in _plain(card).items() if key != "entry"},
        "reference_step": None if row is None else _plain(row),
    }
    show(arguments, document, "\n".join(f"{k.ljust(width)}  {v}" for k, v in lines.items()))


def _full_step(entry: ZooEntry) -> StepTime | None:
    """Return the reference step of all stages at the resolution nearest to the model's own."""
    from nasoa.zoo.step_times import reference_rows  # noqa: PLC0415

    rows = [r for r in reference_rows() if (r.model, r.frozen_stages) == (entry.name, -1)]
    return min(
        rows,
        key=lambda r: (abs(math.log(r.resolution / entry.resolution)), -r.batch_size),
        default=None,
    )


def run_add(arguments: argparse.Namespace) -> None:
    """Add one backbone."""
    from nasoa.steps import zoo as steps  # noqa: PLC0415
    from nasoa.zoo.additions import Addition  # noqa: PLC0415

    request = Addition(
        model=arguments.model,
        encoding=arguments.encoding,
        weights=arguments.weights,
        name=arguments.name,
        resolution=arguments.resolution,
        accuracy=arguments.accuracy,
        source=arguments.source,
    )
    with work_bars():
        entry = steps.add_backbone(open_store(arguments.store), request)
    text = (
        f"added {entry.name}: {entry.num_params / 1e6:.1f} Mparam, {entry.macs / 1e6:.0f} MMAC at "
        f"{entry.resolution} px\nmeasure its step times with: nasoa zoo profile {entry.name}"
    )
    show(arguments, entry, text)


def run_import(arguments: argparse.Namespace) -> None:
    """Import all checkpoints of a folder."""
    from nasoa.steps import zoo as steps  # noqa: PLC0415

    with work_bars():
        entries = steps.import_published(open_store(arguments.store), arguments.folder)
    show(arguments, entries, "\n".join(f"imported {entry.name}" for entry in entries))


def run_build(arguments: argparse.Namespace) -> None:
    """Choose models from a search's front, and pretrain them one after another.

    Of several processes, as torchrun starts them, only the first prints.
    """
    from nasoa.training.processes import process_group  # noqa: PLC0415

    with exit_on_sigterm(), process_group() as processes:
        if not processes.is_first:
            with suppress(NasoaError):  # the first process reports it
                _build(arguments, processes)
                return
            sys.exit(1)
        entries = _build(arguments, processes)
    rows = [(entry.name, entry.encoding, round(entry.source_accuracy, 3)) for entry in entries]
    show(arguments, entries, table(("model", "encoding", "accuracy"), rows))


def _build(arguments: argparse.Namespace, processes: Processes) -> list[ZooEntry]:
    from nasoa.steps.pretrain_request import PretrainRequest, check_recipes  # noqa: PLC0415
    from nasoa.steps.pretrain_zoo import choose_models, pretrain_model  # noqa: PLC0415

    if arguments.teacher_resolution is not None and not arguments.teacher:
        raise InvalidInput(
            "expected --teacher with --teacher-resolution, got none; add --teacher, for example "
            "efficientnet-lite2, or leave it out"
        )
    config = _recipe(arguments)
    limit_s = parse_duration(arguments.time_limit)
    chosen = processes.from_first(
        lambda: choose_models(arguments.store, arguments.search, arguments.models)
    )
    requests = [
        PretrainRequest(
            zoo=arguments.zoo,
            encoding=encoding,
            data=arguments.data,
            config=config,
            limit_s=limit_s,
            unlabelled=arguments.unlabelled,
        )
        for encoding in chosen
    ]
    processes.from_first(lambda: check_recipes(arguments.store, requests))
    entries = []

    def say(text: str) -> None:
        if processes.is_first:
            sys.stderr.write(f"{text}\n")

    for request in requests:
        # The bar is only for a terminal; each epoch prints a line in any case.
        bar = limit_bar(limit_s, WallClock().elapsed_s)
        with bar if sys.stderr.isatty() else nullcontext(_unseen) as update:
            entry = pretrain_model(
                arguments.store,
                request,
                progress=update,
                epoch_ended=lambda epoch: say(epoch_in_words(epoch)),
                processes=processes,
            )
        say(f"{entry.name} {entry.encoding}: accuracy {entry.source_accuracy:.3f}")
        entries.append(entry)
    return entries


def _recipe(arguments: argparse.Namespace) -> PretrainConfig:
    from nasoa.offline.teacher import default_teacher_resolution  # noqa: PLC0415

    config = preset(PretrainConfig, arguments.scale)
    given = {name: getattr(arguments, name) for name in RECIPE}
    given = {name: value for name, value in given.items() if value is not None}
    if arguments.teacher:
        most = config.teacher_resolution
        given.setdefault("teacher_resolution", default_teacher_resolution(arguments.teacher, most))
    return replace(config, **given)


def epoch_in_words(epoch: EpochMetrics) -> str:
    """Describe an epoch in one line."""
    return (
        f"epoch {epoch.epoch:g}: loss {epoch.train_loss:.3f}, "
        f"validation accuracy {epoch.val_accuracy:.3f}, lr {epoch.lr:.4f}, "
        f"{epoch.images_per_s:.0f} images/s, {epoch.elapsed_s:.0f} s"
    )


def _unseen(_progress: object) -> None:
    """Ignore progress, if there is no terminal."""


def run_profile(arguments: argparse.Namespace) -> None:
    """Measure step times of models on this hardware, and store them."""
    from nasoa.steps import zoo as steps  # noqa: PLC0415

    store = open_store(arguments.store)
    zoo = steps.load_zoo(store)
    names = [zoo.entry(name).name for name in arguments.models] or sorted(zoo.buildable().entries)
    measured = []
    total = sum(len(steps.profiled_rows(zoo.entry(name))) for name in names)
    with counting_bar(total, "step times") as bar:
        for name in names:
            for row in steps.profile(store, zoo, name, repeats=max(1, arguments.repeats)):
                measured.append(row)
                bar.update()
    if not measured:
        raise InvalidInput(
            "expected to measure step times, but the machine took longer to load the models than "
            "may be spent on each; stop other work on it and try again"
        )
    header = ("model", "px", "batch", "frozen", "step ms", "images/s classified")
    rows = [
        (
            row.model,
            row.resolution,
            row.batch_size,
            row.frozen_stages,
            round(1000 * row.step_s, 1),
            round(1 / row.eval_image_s),
        )
        for row in measured
    ]
    show(arguments, measured, f"{measured[0].hardware}\n{table(header, rows)}")


def _plain(entry: object) -> dict[str, object]:
    import msgspec  # noqa: PLC0415

    built = msgspec.to_builtins(entry)
    assert isinstance(built, dict)
    return built
