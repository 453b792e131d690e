"""Fuzz everything that nasoa reads from outside: `python -m tests.fuzz --cases 1000000`.

A case is a kind and a number, and the same each time. `--kinds zip --seed 17 --cases 1` runs one
again, and `--show` prints it instead.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fuzz import kinds
from tests.fuzz.running import Result, run_cases

_SHOWN = 3000  # characters of a fault
_TOLD_EVERY_S = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run cases and print what came of them; returns 1 if there are faults."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="in all (default: 10000)")
    parser.add_argument("--kinds", nargs="+", choices=sorted(kinds.SHARES), metavar="KIND")
    parser.add_argument("--seed", type=int, default=0, help="number of the first case of each kind")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--report", type=Path, help="write the figures there, as JSON")
    parser.add_argument("--show", action="store_true", help="print the first case, and run none")
    arguments = parser.parse_args(argv)
    names = arguments.kinds or list(kinds.SHARES)
    if arguments.show:
        for name in names:
            sys.stdout.write(f"{kinds.make(kinds.load(name), name, arguments.seed)!r}\n")
        return 0
    counts = kinds.split(arguments.cases, names)
    began_s = time.monotonic()
    teller = Teller(counts)
    results = run_cases(counts, first=arguments.seed, jobs=arguments.jobs, tell=teller.tell)
    took_s = time.monotonic() - began_s
    sys.stdout.write(table(results, took_s))
    if arguments.report:
        document = {name: vars(result) for name, result in results.items()}
        document = {"seconds": took_s, "jobs": arguments.jobs, "kinds": document}
        arguments.report.write_text(json.dumps(document, indent=1))
    return 1 if any(result.faults for result in results.values()) else 0


class Teller:
    """Tells on standard error how far a run is, and of each fault as soon as it is found."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._total = sum(counts.values())
        self._done: dict[str, int] = {}
        self._told: set[tuple[str, str]] = set()
        self._next_s = time.monotonic() + _TOLD_EVERY_S

    def tell(self, name: str, result: Result) -> None:
        """Take the result of a kind so far into account."""
        self._done[name] = result.cases
        for key in result.faults.keys() - {key for kind, key in self._told if kind == name}:
            self._told.add((name, key))
            sys.stderr.write(_fault(name, result, key))
        if time.monotonic() > self._next_s:
            self._next_s = time.monotonic() + _TOLD_EVERY_S
            done = sum(self._done.values())
            sys.stderr.write(f"{done} of {self._total} cases, at {name}\n")
        sys.stderr.flush()


def table(results: dict[str, Result], took_s: float) -> str:
    """Counts and rates by kind, and every fault with the command that replays it."""
    lines = ["kind           cases  accepted   refused  faults  cases/s"]
    for name, result in results.items():
        lines.append(_row(name, result, result.seconds))
    whole = Result()
    for result in results.values():
        whole.accepted += result.accepted
        whole.refused += result.refused
        whole.keys[""] = whole.num_faults + result.num_faults
    lines.append(_row("all", whole, took_s))
    for name, result in results.items():
        lines += [_fault(name, result, key) for key in result.faults]
    return "\n".join(lines) + "\n"


def _fault(name: str, result: Result, key: str) -> str:
    seed, text = result.faults[key]
    return (
        f"\n{name}: {result.keys[key]} times, first by the case\n  {shown(text)}\n"
        f"  python -m tests.fuzz --kinds {name} --cases 1 --seed {seed}\n"
    )


def shown(text: str) -> str:
    """What is told of a fault, without the middle of what is very long."""
    text = text.strip()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 3]} ... {text[-_SHOWN // 2 :]}"


def _row(name: str, result: Result, seconds: float) -> str:
    rate = result.cases / seconds if seconds else 0.0
    return (
        f"{name:<12} {result.cases:>7} {result.accepted:>9} {result.refused:>9} "
        f"{result.num_faults:>7} {rate:>8.0f}"
    )


if __name__ == "__main__":
    sys.exit(main())
