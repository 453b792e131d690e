"""The steps of a search and a zoo, as their components call them, with pages for the UI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nasoa.arch import parse
from nasoa.config import PretrainConfig, preset
from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput
from nasoa.offline.search import architecture_hash
from nasoa.records import ArchCosts, from_json, to_json
from nasoa.report.search_page import search_page
from nasoa.steps import lineage, searches
from nasoa.steps.encode_and_build import measure_architectures
from nasoa.steps.evaluate_arch import evaluate_architecture
from nasoa.steps.lineage import Artifact
from nasoa.steps.nsga_select import select_generation
from nasoa.steps.search_settings import read_settings
from nasoa.steps.termination import exit_on_sigterm
from nasoa.store import keys, open_store

# The only item of a loop that has nothing to do: a loop without iterations has no outputs, so the
# steps after it could not depend on it.
NOTHING = ""
# Compared in a pipeline's condition, so that a search that has ended starts no GPU pods.
GOES_ON = "goes-on"
ENDED = "ended"


@dataclass(frozen=True)
class SearchForm:
    """A search, as the parameters of its component describe it.

    Args:
        space: "block" or "macro"; empty continues a search that has started.
        data: DATA of the proxy.
        scale: "small" or "paper".
        cells_from: for a macro search, name of the block search that provides the cells.
        num_cells: number of cells.
        settings: further settings as a JSON object: fields of `SearchConfig` and `StopCriterion`,
            those of the space under "ranges", and those of `EvaluateConfig` under "evaluate".
    """

    space: str
    data: str
    scale: str
    cells_from: str
    num_cells: int
    settings: str


@dataclass(frozen=True)
class PretrainForm:
    """A pretraining, as the parameters of its component describe it.

    Args:
        zoo: name of the zoo.
        architecture: encoding of the architecture.
        data: DATA of the source data set.
        scale: "small" or "paper".
        epochs: passes over the data; 0 for the number of the preset `scale`.
        time_limit: time limit, like 45m or 6h.
    """

    zoo: str
    architecture: str
    data: str
    scale: str
    epochs: int
    time_limit: str


def nsga_select(
    store: str,
    search: str,
    form: SearchForm,
    num_models: int,
    summary_path: str,
    state_path: str,
) -> list[str]:
    """Select a generation, or models for the zoo, and return the encodings.

    Args:
        store: the store of the search.
        search: name of the search.
        form: the search to start or to continue.
        num_models: number of models to choose for the zoo; 0 selects a generation.
        summary_path: file for the Markdown summary.
        state_path: file for `GOES_ON` if there is something to train, and `ENDED` otherwise.
    """
    if num_models:
        from nasoa.steps.pretrain_zoo import choose_models  # noqa: PLC0415

        chosen = list(choose_models(store, search, num_models))
        _write(summary_path, f"{len(chosen)} models of the search {search}", chosen)
        _write_state(state_path, chosen)
        return chosen
    stop, given = read_settings(form.settings)
    if form.space:
        config = searches.configure(
            store,
            space=form.space,
            data=form.data,
            scale=form.scale,
            cells=searches.MacroCells(search=form.cells_from, count=form.num_cells),
            **given,
        )
        searches.open_search(store, search, config)
    selection = select_generation(store, search, stop)
    title = (
        f"The search {search} has ended: {selection.ended}"
        if selection.ended
        else f"Generation {selection.generation} of the search {search}"
    )
    _write(summary_path, title, selection.architectures)
    _write_state(state_path, selection.architectures)
    return list(selection.architectures)


def encode_and_build(
    store: str, search: str, architectures: Sequence[str], costs_path: str
) -> list[str]:
    """Measure architectures on this node, write their costs in Markdown, and return those to train.

    If there are none, the result holds `NOTHING` alone.
    """
    wanted = measure_architectures(store, search, architectures)
    opened = open_store(store)
    known = set(opened.list(keys.costs(search)))
    rows = ["| architecture | step ms | inference ms | MMAC | Mparam | training MB |"]
    rows.append("| --- | --- | --- | --- | --- | --- |")
    for text in architectures:
        key = keys.arch_costs(search, architecture_hash(parse(text)))
        if key in known:
            c = from_json(opened.get(key), ArchCosts, key)
            rows.append(
                f"| {text} | {c.step_time_ms:.1f} | {c.inference_ms:.1f} | {c.macs / 1e6:.1f} "
                f"| {c.params / 1e6:.2f} | {c.train_memory_bytes / 1e6:.0f} |"
            )
    Path(costs_path).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return list(wanted) or [NOTHING]


def evaluate_arch(store: str, search: str, architecture: str, metrics: Artifact) -> str:
    """Train an architecture on this node, write metrics, and return its evaluation as JSON.

    For `NOTHING`, nothing is trained and `NOTHING` is returned.
    """
    if architecture == NOTHING:
        return NOTHING
    with exit_on_sigterm():
        evaluation = evaluate_architecture(store, search, architecture)
    metrics.metadata.update({"step_time_ms": round(evaluation.costs.step_time_ms, 3)})
    if evaluation.accuracy is not None:
        metrics.metadata["accuracy"] = round(evaluation.accuracy, 4)
    if evaluation.score is not None:
        metrics.metadata["score"] = round(evaluation.score, 4)
    return to_json(evaluation).decode()


def show_search(
    store: str, search: str, evaluated: Sequence[str], front_path: str, metrics: Artifact
) -> str:
    """Write the page and metrics of a search, and return the last generation's progress as JSON.

    `evaluated`: evaluations of this run, with `NOTHING` for loops that had nothing to do.
    """
    found = searches.read_search(store, search)
    page = search_page(search, found.config, list(found.evaluations.values()), found.progress)
    Path(front_path).write_text(page, encoding="utf-8")
    state = found.progress[-1] if found.progress else None
    document: dict[str, Any] = {
        "search": search,
        "evaluated_now": sum(text != NOTHING for text in evaluated),
        "generation": state.generation if state else 0,
        "evaluated": len(found.evaluations),
        "front_size": state.front_size if state else 0,
        "hypervolume": state.hypervolume if state else 0.0,
    }
    metrics.metadata.update(
        {name: value for name, value in document.items() if not isinstance(value, str)}
    )
    return json.dumps(document)


def pretrain_zoo(
    store: str, form: PretrainForm, model: Artifact, zoo_version: Artifact, metrics: Artifact
) -> str:
    """Pretrain an architecture on this node, write metrics, and return its zoo entry as JSON.

    The artifacts point at the model's weights and at the zoo version that has them.
    """
    from nasoa.steps.pretrain_request import PretrainRequest  # noqa: PLC0415
    from nasoa.steps.pretrain_zoo import pretrain_model  # noqa: PLC0415

    config = preset(PretrainConfig, form.scale)
    if form.epochs < 0:
        raise InvalidInput(f"expected epochs to be 0 or more, got {form.epochs}")
    request = PretrainRequest(
        zoo=form.zoo,
        encoding=form.architecture,
        data=form.data,
        config=replace(config, epochs=form.epochs or config.epochs),
        limit_s=parse_duration(form.time_limit),
    )
    with exit_on_sigterm():
        entry = pretrain_model(store, request)
    lineage.show_zoo_made(zoo_version, model, open_store(store), form.zoo, entry)
    metrics.metadata["source_accuracy"] = entry.source_accuracy
    return to_json(entry).decode()


def _write(path: str, title: str, architectures: Sequence[str]) -> None:
    lines = [f"# {title}", "", *(f"- `{text}`" for text in architectures)]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_state(path: str, architectures: Sequence[str]) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(GOES_ON if architectures else ENDED, encoding="utf-8")
