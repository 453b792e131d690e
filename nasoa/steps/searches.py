"""Searches in a store: their configuration and their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from nasoa.arch import parse_block
from nasoa.config import EvaluateConfig, preset
from nasoa.errors import InvalidInput, ObjectNotFound, UnknownName
from nasoa.offline.canonical import canonical_block
from nasoa.offline.common_cells import most_common_cells
from nasoa.offline.search import Progress, SearchConfig, difference, progress
from nasoa.offline.space import BlockSpace, MacroSpace
from nasoa.offline.teacher import default_teacher_resolution
from nasoa.records import Evaluation, from_json, to_json
from nasoa.steps.reading import read_record
from nasoa.store import ArtifactStore, keys, listing, open_store
from nasoa.work_progress import reported

S = TypeVar("S", BlockSpace, MacroSpace)

SPACES = ("block", "macro")


@dataclass(frozen=True)
class Search:
    """A search as read from the store; `evaluations` by encoding."""

    search_id: str
    config: SearchConfig
    generations: tuple[tuple[str, ...], ...]
    evaluations: dict[str, Evaluation]

    @property
    def progress(self) -> list[Progress]:
        """The front after each generation."""
        return progress(self.config, self.generations, self.evaluations)


@dataclass(frozen=True, kw_only=True)
class MacroCells:
    """The blocks that a macro search stacks: either encodings, or those of another search.

    Args:
        encodings: encodings of the blocks.
        search: name of a block search whose most common cells are stacked instead.
        count: number of cells to take from it (M of Algorithm 2).
    """

    encodings: Sequence[str] = ()
    search: str = ""
    count: int = 10


NO_CELLS = MacroCells()


def configure(
    store_uri: str,
    *,
    space: str,
    data: str,
    scale: str = "small",
    cells: MacroCells = NO_CELLS,
    ranges: Mapping[str, Any] | None = None,
    evaluate: Mapping[str, Any] | None = None,
    **settings: Any,
) -> SearchConfig:
    """Make the configuration of a search from presets and the user's settings.

    Args:
        store_uri: store of the search `cells_from`.
        space: "block" or "macro".
        data: DATA of the proxy.
        scale: presets of the space and of the evaluation: "small" or "paper".
        cells: the blocks that a macro search stacks.
        ranges: fields of the space that differ from the preset.
        evaluate: fields of `EvaluateConfig` that differ from the preset; its seed is that of the
            search unless it is given.
        settings: further fields of `SearchConfig`.

    Raises:
        InvalidInput: a setting or its value is invalid, a macro search has no cells, or a block
            search is given some.
    """
    if space not in SPACES:
        raise InvalidInput(f"expected the space to be {' or '.join(SPACES)}, got {space!r}")
    # One seed decides everything, also the split of the proxy and the trainings.
    given = {"seed": settings.get("seed", 0), **(evaluate or {})}
    evaluation = _evaluate_config(preset(EvaluateConfig, scale, space), given)
    common = {"data": data, "evaluate": evaluation, **settings}
    _check_cells(space, cells)
    if space == "block":
        return _tried(SearchConfig(block=_replaced(preset(BlockSpace, scale), ranges), **common))
    encodings = cells.encodings
    if cells.search:
        if cells.count < 1:
            raise InvalidInput(f"expected at least 1 cell, got {cells.count}")
        found = read_search(store_uri, cells.search)
        known = list(found.evaluations.values())
        encodings = most_common_cells(known, cells.count, found.config.epsilon)
    blocks = tuple(dict.fromkeys(canonical_block(parse_block(text)) for text in encodings))
    macro = preset(MacroSpace, scale, blocks)
    return _tried(SearchConfig(macro=_replaced(macro, ranges), **common))


def open_search(store_uri: str, search_id: str, config: SearchConfig) -> bool:
    """Start a search, or check that an existing one has the same configuration.

    Returns:
        Whether this call started it.

    Raises:
        InvalidInput: the store has a search of that name with another configuration; the message
            names the first field that differs.
    """
    store = open_store(store_uri)
    key = keys.search_config(search_id)
    if store.put_if_absent(key, to_json(config)):
        return True
    found = read_config(store, search_id)
    other = difference(found, config)
    if other:
        raise InvalidInput(
            f"the search {search_id!r} in {store.uri} was started with another configuration: "
            f"{other}; use the same, or another name"
        )
    return False


def withdraw(store: ArtifactStore, search_id: str) -> None:
    """Remove a search without results, so that its name can be used again."""
    if store.list(keys.costs(search_id)) or store.list(keys.evaluations(search_id)):
        return
    # The configuration goes first: without it there is no search.
    store.delete(keys.search_config(search_id))
    for key in store.list(keys.generations(search_id)):
        store.delete(key)


def read_config(store: ArtifactStore, search_id: str) -> SearchConfig:
    """Return the configuration of a search.

    Raises:
        UnknownName: there is no search of that name; the message suggests similar ones.
    """
    key = keys.search_config(search_id)
    try:
        return from_json(store.get(key), SearchConfig, key)
    except ObjectNotFound:
        known = {found.split("/")[1] for found in store.list("search/")}
        raise UnknownName("search", search_id, known, f"the store is {store.uri}") from None


def read_search(store_uri: str, search_id: str) -> Search:
    """Return a search with its results so far; corrupt evaluations are logged and left out."""
    store = open_store(store_uri)
    config = read_config(store, search_id)
    numbers = listing.numbers(store, keys.generations(search_id))
    found = (keys.generation(search_id, number) for number in numbers)
    generations = tuple(tuple(from_json(store.get(key), list[str], key)) for key in found)
    evaluations: dict[str, Evaluation] = {}
    for name in reported(listing.names(store, keys.evaluations(search_id)), "evaluations"):
        evaluation = read_record(store, keys.evaluation(search_id, name), Evaluation)
        if evaluation is not None:
            evaluations[evaluation.encoding] = evaluation
    return Search(search_id, config, generations, evaluations)


def _check_cells(space: str, cells: MacroCells) -> None:
    """Check that cells are only given to a macro search, and in one way."""
    names = {"--cells": cells.encodings, "--cells-from": cells.search}
    given = [name for name, value in names.items() if value]
    if given and space == "block":
        raise InvalidInput(
            f"expected no cells for a block search, which finds them, got {' and '.join(given)}; "
            "leave that out, or use --space macro"
        )
    if len(given) > 1:
        raise InvalidInput(
            "expected either --cells or --cells-from, got both; leave one of them out"
        )


def _evaluate_config(config: EvaluateConfig, given: dict[str, Any]) -> EvaluateConfig:
    """Return the preset with the given settings; a given number of classes is exact.

    Raises:
        UnknownName: there is no such setting, or no such teacher.
        InvalidInput: a teacher is set for a signal that has none.
    """
    known = [field.name for field in fields(config)]
    for name in given:
        if name not in known:
            raise UnknownName("setting of evaluate", name, known)
    if "num_classes" in given:
        given.setdefault("all_if_fewer", False)
    made = replace(config, **given)
    if made.signal != "teacher" and {"teacher", "teacher_resolution"} & set(given):
        raise InvalidInput(
            f"expected no teacher for the signal {made.signal!r}, which has none; add --signal "
            "teacher, or leave out --teacher and --teacher-resolution"
        )
    if made.signal == "teacher" and "teacher_resolution" not in given:
        resolution = default_teacher_resolution(made.teacher, made.teacher_resolution)
        made = replace(made, teacher_resolution=resolution)
    return made


def _tried(config: SearchConfig) -> SearchConfig:
    """Return a configuration from whose space something can be sampled.

    Raises:
        InvalidInput: the ranges of the space admit no valid architecture.
    """
    config.space.sample(np.random.default_rng(config.seed))
    return config


def _replaced(space: S, ranges: Mapping[str, Any] | None) -> S:
    known = [field.name for field in fields(space)]
    for name in ranges or {}:
        if name not in known:
            raise UnknownName("range of this space", name, known)
    return replace(space, **dict(ranges or {}))
