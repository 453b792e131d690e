"""Searches in a store: their configuration, and what they have found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from nasoa.arch import parse_block
from nasoa.config import EvaluateConfig, preset
from nasoa.errors import InvalidInput, ObjectNotFound, UnknownName
from nasoa.offline.canonical import canonical_block
from nasoa.offline.common_cells import most_common_cells
from nasoa.offline.search import Progress, SearchConfig, difference, progress
from nasoa.offline.space import BlockSpace, MacroSpace
from nasoa.records import Evaluation, from_json, to_json
from nasoa.steps.reading import read_record
from nasoa.store import ArtifactStore, keys, listed, open_store

S = TypeVar("S", BlockSpace, MacroSpace)

SPACES = ("block", "macro")


@dataclass(frozen=True)
class Search:
    """A search as the store has it: `evaluations` are by encoding."""

    search_id: str
    config: SearchConfig
    generations: tuple[tuple[str, ...], ...]
    evaluations: dict[str, Evaluation]

    @property
    def progress(self) -> list[Progress]:
        """The front after each generation."""
        return progress(self.config, self.generations, self.evaluations)


def configure(
    store_uri: str,
    *,
    space: str,
    data: str,
    scale: str = "small",
    cells: Sequence[str] = (),
    cells_from: str = "",
    num_cells: int = 10,
    ranges: Mapping[str, Any] | None = None,
    evaluate: Mapping[str, Any] | None = None,
    **settings: Any,
) -> SearchConfig:
    """A configuration by the words that people use for it.

    Args:
        store_uri: where the search `cells_from` is.
        space: "block" or "macro".
        data: DATA of the proxy.
        scale: "small" or "paper": which presets of space and evaluation.
        cells: block texts that a macro search stacks.
        cells_from: a block search whose most common cells are stacked instead.
        num_cells: how many of them: M of Algorithm 2.
        ranges: fields of the space that are not the preset's.
        evaluate: fields of `EvaluateConfig` that are not the preset's.
        settings: further fields of `SearchConfig`.

    Raises:
        InvalidInput: a word that is none of these; a macro search without cells.
    """
    if space not in SPACES:
        raise InvalidInput(f"expected the space to be {' or '.join(SPACES)}, got {space!r}")
    judging = _judging(preset(EvaluateConfig, scale, space), dict(evaluate or {}))
    common = {"data": data, "evaluate": judging, **settings}
    if space == "block":
        return SearchConfig(block=_replaced(preset(BlockSpace, scale), ranges), **common)
    if cells_from:
        if num_cells < 1:
            raise InvalidInput(f"expected at least 1 cell, got {num_cells}")
        found = read_search(store_uri, cells_from)
        known = list(found.evaluations.values())
        cells = most_common_cells(known, num_cells, found.config.epsilon)
    blocks = tuple(dict.fromkeys(canonical_block(parse_block(text)) for text in cells))
    macro = preset(MacroSpace, scale, blocks)
    return SearchConfig(macro=_replaced(macro, ranges), **common)


def open_search(store_uri: str, search_id: str, config: SearchConfig) -> None:
    """Begin a search, or check that it is the one that was begun.

    Raises:
        InvalidInput: the store has a search of that name with another configuration; names the
            first field that differs.
    """
    store = open_store(store_uri)
    key = keys.search_config(search_id)
    if store.put_if_absent(key, to_json(config)):
        return
    found = read_config(store, search_id)
    other = difference(found, config)
    if other:
        raise InvalidInput(
            f"the search {search_id!r} in {store.uri} was begun with another configuration: "
            f"{other}; use the same, or another name"
        )


def withdraw(store: ArtifactStore, search_id: str) -> None:
    """Take back a search that was begun and has found nothing, so that its name is free again."""
    if store.list(keys.costs(search_id)) or store.list(keys.evaluations(search_id)):
        return
    # The configuration goes first: without it there is no search.
    store.delete(keys.search_config(search_id))
    for key in store.list(keys.generations(search_id)):
        store.delete(key)


def read_config(store: ArtifactStore, search_id: str) -> SearchConfig:
    """The configuration of a search.

    Raises:
        InvalidInput: there is no search of that name; names those there are.
    """
    key = keys.search_config(search_id)
    try:
        return from_json(store.get(key), SearchConfig, key)
    except ObjectNotFound:
        known = sorted({found.split("/")[1] for found in store.list("search/")})
        there = ", ".join(known) if known else "none"
        raise InvalidInput(
            f"expected a search in {store.uri}, got {search_id!r}; there is {there}"
        ) from None


def read_search(store_uri: str, search_id: str) -> Search:
    """A search with all that was found so far; a corrupt record is named and left out."""
    store = open_store(store_uri)
    config = read_config(store, search_id)
    numbers = listed.numbers(store, keys.generations(search_id))
    found = (keys.generation(search_id, number) for number in numbers)
    generations = tuple(tuple(from_json(store.get(key), list[str], key)) for key in found)
    evaluations: dict[str, Evaluation] = {}
    for name in listed.names(store, keys.evaluations(search_id)):
        evaluation = read_record(store, keys.evaluation(search_id, name), Evaluation)
        if evaluation is not None:
            evaluations[evaluation.encoding] = evaluation
    return Search(search_id, config, generations, evaluations)


def _judging(config: EvaluateConfig, given: dict[str, Any]) -> EvaluateConfig:
    """The preset with what was given; a number of classes that was asked for is meant so."""
    known = [field.name for field in fields(config)]
    for name in given:
        if name not in known:
            raise UnknownName("setting of evaluate", name, known)
    if "num_classes" in given:
        given.setdefault("all_if_fewer", False)
    return replace(config, **given)


def _replaced(space: S, ranges: Mapping[str, Any] | None) -> S:
    known = [field.name for field in fields(space)]
    for name in ranges or {}:
        if name not in known:
            raise UnknownName("range of this space", name, known)
    return replace(space, **dict(ranges or {}))
