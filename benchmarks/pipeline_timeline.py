"""Where the time of a local pipeline goes, from the lines of `nasoa pipeline run --verbose`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# The process that starts the steps, beside the steps by name.
RUNNER = "runner"

_BEGAN = re.compile(r"Executing task \S*'([\w-]+)'")
_ENDED = re.compile(r"Task \S*'([\w-]+)'\S* finished with status")
# As `python -X importtime` writes it: microseconds without and with what a module imports.
_IMPORT = re.compile(r"( *)import time: +(\d+) \| +\d+ \| +([\w.]+)$")


@dataclass(frozen=True)
class Line:
    """A line of the log, and the seconds after which it came."""

    at_s: float
    text: str


@dataclass(frozen=True)
class Timeline:
    """Seconds of wall time of the parts of a run.

    Args:
        before_s: from the start of the command to the first step.
        steps: from start to end of each step's process, by name, in order.
        between_s: between the steps, all together.
        after_s: from the end of the last step to the end of the command.
    """

    before_s: float
    steps: dict[str, float]
    between_s: float
    after_s: float


def timeline(lines: Iterable[Line], wall_s: float) -> Timeline:
    """Return the parts of a run.

    Args:
        lines: the log.
        wall_s: seconds from the start of the command to its end.

    Raises:
        ValueError: the log has no steps, or one that did not end.
    """
    began: dict[str, float] = {}
    ended: dict[str, float] = {}
    for line in lines:
        if match := _BEGAN.search(line.text):
            began[match[1]] = line.at_s
        elif match := _ENDED.search(line.text):
            ended[match[1]] = line.at_s
    if not began or began.keys() != ended.keys():
        raise ValueError(f"expected a log of finished steps, got {len(began)} begun, {len(ended)}")
    steps = {name: ended[name] - began[name] for name in began}
    first, last = next(iter(began.values())), max(ended.values())
    return Timeline(first, steps, last - first - sum(steps.values()), wall_s - last)


def imports(lines: Iterable[Line]) -> dict[str, dict[str, float]]:
    """Return the seconds that each process spent importing, by top-level package, longest first.

    Args:
        lines: the log of a run with PYTHONPROFILEIMPORTTIME=1. Lines of a step are indented.
    """
    spent: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    step = RUNNER
    for line in lines:
        if match := _BEGAN.search(line.text):
            step = match[1]
        elif match := _IMPORT.match(line.text):
            indentation, own_us, module = match.groups()
            process = step if indentation else RUNNER
            spent[process][module.partition(".")[0]] += int(own_us) / 1e6
    return {
        process: dict(sorted(packages.items(), key=lambda item: -item[1]))
        for process, packages in spent.items()
    }


def most_imported(spent: Sequence[dict[str, float]], count: int) -> dict[str, float]:
    """Return the packages that took longest in all processes together, and their seconds."""
    total: dict[str, float] = defaultdict(float)
    for packages in spent:
        for package, seconds in packages.items():
            total[package] += seconds
    first = sorted(total, key=lambda package: -total[package])[:count]
    return {package: round(total[package], 3) for package in first}
