"""The commands that made a table of searches, from the configurations that it stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks.run_log import Row
from nasoa.cli.search import EVALUATION, RANGES, SETTINGS
from nasoa.config import SCALES, EvaluateConfig, preset
from nasoa.offline.search import SearchConfig
from nasoa.offline.space import BlockSpace, MacroSpace

STUDIES = ("random", "references", "reseeded", "full", "remeasured")
MOST_COLUMNS = 90
OF_A_TEACHER = ("teacher", "teacher_resolution")  # without the signal "teacher", they are refused


def commands(searches: Mapping[str, SearchConfig], rows: Sequence[Row]) -> str:
    """Return the commands that made the table: the searches, and the studies of each.

    The number of workers is not among the options, as it changes no search.
    """
    lines, studies = [], []
    blocks = next((name for name, config in searches.items() if config.block), "")
    for name, config in searches.items():
        own = [row for row in rows if row["search"] == name]
        count = sum(row["kind"] == "evolved" for row in own)
        options = [*search_options(config, blocks), f"--max-evaluations {count}"]
        lines += _wrapped(f"nasoa search run {name}", options)
        kinds = [kind for kind in STUDIES if any(row["kind"] == kind for row in own)]
        if kinds:
            studies.append(f"python scripts/search_study.py {'|'.join(kinds)} --search {name}")
    lines += [*studies, f"python scripts/search_study.py table --search {' '.join(searches)}"]
    return "\n".join(f"    {line}" for line in lines)


def search_options(config: SearchConfig, cells_from: str = "") -> list[str]:
    """Return the options of `nasoa search run` that give a configuration.

    They are those of the scale whose presets differ less from it.

    Args:
        config: the configuration.
        cells_from: name of the block search that provides the cells of a macro search; "" names the
            cells.
    """
    return min((_options(config, cells_from, scale) for scale in SCALES), key=len)


def _options(config: SearchConfig, cells_from: str, scale: str) -> list[str]:
    space = "block" if config.block else "macro"
    options = [f"--space {space}"]
    if scale != SCALES[0]:
        options.append(f"--scale {scale}")
    if config.macro and cells_from:
        options.append(f"--cells-from {cells_from} --num-cells {len(config.macro.cells)}")
    elif config.macro:
        options.append(f"--cells {' '.join(str(cell) for cell in config.macro.cells)}")
    options += [f"--data {Path(config.data).name}", f"--num-children {config.num_children}"]
    defaults = {field.name: field.default for field in fields(SearchConfig)}
    settings = [name for name in SETTINGS if name != "num_children"]
    options += _differing(config, defaults, settings)
    if config.block:
        options += _differing(config.block, vars(preset(BlockSpace, scale)), RANGES)
    elif config.macro:
        options += _differing(
            config.macro, vars(preset(MacroSpace, scale, config.macro.cells)), RANGES
        )
    return options + _evaluation(config.evaluate, preset(EvaluateConfig, scale, space))


def _evaluation(config: EvaluateConfig, standard: EvaluateConfig) -> list[str]:
    """Return the options of an evaluation that differ from a preset."""
    defaults = dict(vars(standard))
    if config.all_if_fewer != standard.all_if_fewer:
        defaults["num_classes"] = None  # a number that is given is exact
    if config.signal == "teacher":
        defaults["teacher_resolution"] = None  # the default depends on the teacher
    used = [name for name in EVALUATION if config.signal == "teacher" or name not in OF_A_TEACHER]
    options = _differing(config, defaults, used)
    images = config.train_per_class, config.val_per_class
    if images != (standard.train_per_class, standard.val_per_class):
        options.append(f"--images-per-class {images[0]} {images[1]}")
    return options


def _differing(found: Any, defaults: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return the options of fields that `found` has, with other values than the default."""
    known = {name: getattr(found, name) for name in names if hasattr(found, name)}
    return [
        f"--{name.replace('_', '-')} {_text(value)}"
        for name, value in known.items()
        if value != defaults[name]
    ]


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_text, value))
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _wrapped(start: str, options: Sequence[str]) -> list[str]:
    """Return a command in lines of at most 92 characters, as for a shell."""
    lines = [start]
    for option in options:
        if len(lines[-1]) + len(option) > MOST_COLUMNS:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {option}"
    return lines
