"""The command line; the package's docstring explains it."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import benchmarks.final as package
from benchmarks.final import budget, hpo
from benchmarks.final.methods import ONE_SHOT, one_shot, peers, series_of
from benchmarks.final.runner import KEY, Cell, Runner, Tuning
from benchmarks.final.space import SearchSpace
from benchmarks.final.state import state_of
from benchmarks.final.subject import Subject
from benchmarks.final.summary import summarise, unfinished
from benchmarks.final.table import markdown
from benchmarks.machine import RESULTS, code_version, machine
from benchmarks.run_log import Row, RunLog, names_of
from nasoa.errors import InvalidInput, NasoaError
from nasoa.records import ZooEntry
from nasoa.zoo.entries import packaged_zoo

SEARCHES = ("random", "bohb", "tpe")
SCOPES = ("hyperparameters", "models", "peers")
NEEDS = {"bohb": "syne_tune", "tpe": "optuna"}
PACKAGES = ("torch", "numpy", "scikit-learn", "pandas")
NOTICED_S = 1e-3  # what a fine-tune may end after its limit without being listed


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the missing runs, then print and write the summary; return the exit code."""
    asked = _parse(arguments)
    try:
        return _run(asked)
    except (NasoaError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.final",
        description=package.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    methods = (*ONE_SHOT, *SEARCHES)
    parser.add_argument("data", nargs="+", metavar="DATA")
    parser.add_argument("--limits", nargs="+", default=budget.NAMES, metavar="LIMIT")
    parser.add_argument(
        "--epochs",
        type=float,
        nargs=2,
        default=budget.EPOCHS,
        metavar="N",
        help="of the smallest model in t0 and the largest in t3",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2), metavar="SEED")
    parser.add_argument("--methods", nargs="+", choices=methods, default=methods)
    parser.add_argument("--scopes", nargs="+", choices=SCOPES, default=SCOPES[:2])
    parser.add_argument("--multiples", type=float, nargs="+", default=(1.0, 4.0), metavar="N")
    parser.add_argument("--models", nargs="+", metavar="MODEL", help="use only these models")
    parser.add_argument("--report", action="store_true", help="make no runs, only the summary")
    default = Path("build/final.jsonl")
    parser.add_argument("--runs", type=Path, nargs="+", default=[default], metavar="FILE")
    parser.add_argument("--output", type=Path, default=RESULTS / "final.json")
    asked = parser.parse_args(arguments)
    for name, library in NEEDS.items():
        if name in asked.methods and importlib.util.find_spec(library) is None:
            parser.error(
                f"expected {library} for {name}; install nasoa[benchmarks] or leave it out"
            )
    is_tuned = set(asked.methods) & set(SEARCHES) and "hyperparameters" in asked.scopes
    if is_tuned and "default" not in asked.methods:
        parser.error(
            "expected default among --methods: --scopes hyperparameters takes its best model"
        )
    return asked


def _run(asked: argparse.Namespace) -> int:
    names = names_of(asked.data)
    zoo = _zoo(asked.models)
    log = RunLog(asked.runs[0], KEY, asked.runs[1:])

    @lru_cache(maxsize=2)
    def subject(data: str, seed: int) -> Subject:
        return Subject(names[data], seed)

    @cache
    def limit_s(data: str, name: str) -> float:
        # Of the splits of one seed, so that all seeds have the same limit.
        return budget.limit_s(name, subject(data, 0).times(tuple(zoo)), asked.epochs)

    def cells() -> Iterator[Cell]:
        for limit in asked.limits:
            for seed in asked.seeds:
                for data in names:
                    yield Cell(data, limit, limit_s(data, limit), seed)

    runner = Runner(log, lambda cell: subject(cell.data, cell.seed), code_version())
    planned = list(cells())
    if not asked.report:
        for cell in planned:
            _run_cell(runner, cell, asked, zoo)
    rows = list(_current(log.rows, planned, runner, asked, zoo))
    if not rows:
        raise InvalidInput(
            f"expected finished runs of these data sets, limits and seeds in {asked.runs[0]}, but "
            "there are none; leave out --report"
        )
    result = _result(rows, asked, zoo)
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(json.dumps(result, indent=1) + "\n")
    print(markdown(result["summary"]))  # noqa: T201
    return 1 if runner.failed else 0


def _zoo(models: Sequence[str] | None) -> dict[str, ZooEntry]:
    zoo = packaged_zoo()
    return {name: zoo.entry(name) for name in models or zoo.buildable().entries}


def _run_cell(
    runner: Runner, cell: Cell, asked: argparse.Namespace, zoo: Mapping[str, ZooEntry]
) -> None:
    for method in one_shot(asked.methods, zoo):
        runner.run_one(cell, method)
    for tuning in _tunings(runner, cell, asked, zoo):
        runner.run_tuning(cell, tuning)


def _tunings(
    runner: Runner, cell: Cell, asked: argparse.Namespace, zoo: Mapping[str, ZooEntry]
) -> Iterator[Tuning]:
    """Yield the searches of a cell; those over hyperparameters need the runs at default ones."""
    best = runner.best_default(cell, tuple(zoo))
    models = {
        "hyperparameters": (best,) if best else (),
        "models": tuple(zoo),
        "peers": peers(zoo) if len(series_of(zoo)) > 1 else (),
    }
    for scope in asked.scopes:
        for kind in (name for name in SEARCHES if name in asked.methods and models[scope]):
            yield Tuning(
                name=f"{kind}:{scope}",
                models=models[scope],
                begin=_begin(kind),
                multiple=max(asked.multiples),
            )


def _begin(kind: str) -> Callable[[SearchSpace, int], hpo.Search]:
    """Return the class of a search; those of other libraries are imported here."""
    if kind == "bohb":
        from benchmarks.final.bohb import BohbSearch  # noqa: PLC0415

        return BohbSearch
    if kind == "tpe":
        from benchmarks.final.tpe import TpeSearch  # noqa: PLC0415

        return TpeSearch
    return hpo.RandomSearch


def _current(
    rows: Sequence[Row],
    cells: Sequence[Cell],
    runner: Runner,
    asked: argparse.Namespace,
    zoo: Mapping[str, ZooEntry],
) -> Iterator[Row]:
    """Yield the runs of these cells and methods with the models and predictor of now, once each."""
    wanted = set()
    for cell in cells:
        named = [
            (m.name, state_of(m.models, predicts=m.predicts)) for m in one_shot(asked.methods, zoo)
        ]
        tuned = [
            (t.name, state_of(t.models, predicts=False)) for t in _tunings(runner, cell, asked, zoo)
        ]
        wanted |= {(cell, name, state) for name, state in [*named, *tuned]}
    seen = set()
    for row in rows:
        cell = Cell(row["data"], row["limit"], row["limit_s"], row["seed"])
        key = (cell, row["method"], row["state"])
        if key in wanted and (key, row["number"]) not in seen:
            seen.add((key, row["number"]))
            yield row


def _result(
    rows: Sequence[Row], asked: argparse.Namespace, zoo: Mapping[str, ZooEntry]
) -> dict[str, Any]:
    libraries = {"bohb": "syne-tune", "tpe": "optuna"}
    packages = [*PACKAGES, *(libraries[name] for name in libraries if name in asked.methods)]
    multiples = {kind: sorted(asked.multiples) for kind in SEARCHES}
    limits = {(row["limit"], row["data"], row["limit_s"]) for row in rows}
    return {
        "what": "test accuracy of one-shot choice and of tuning on the same splits and step clock",
        "machine": machine(packages),
        "clock": "steps",
        "code_versions": sorted({row["code_version"] for row in rows}),
        "seeds": sorted({row["seed"] for row in rows}),
        "models": {name: list(models) for name, models in series_of(zoo).items()},
        "limits_s": [
            dict(zip(("limit", "data", "s"), found, strict=True)) for found in sorted(limits)
        ],
        "epochs": list(asked.epochs),
        "settings": {
            "random_fraction": hpo.RANDOM_FRACTION,
            "percent_good": hpo.PERCENT_GOOD,
            "fractions": list(hpo.FRACTIONS),
            "reduction": hpo.REDUCTION,
        },
        "over_the_limit": [
            {**_name(row), "over_s": round(_over_s(row), 3)}
            for row in rows
            if row["fits"] and _over_s(row) > NOTICED_S
        ],
        "does_not_fit": [{**_name(row), "why": row["why"]} for row in rows if not row["fits"]],
        "unfinished": unfinished(rows, series_of(zoo), multiples),
        "summary": summarise(rows, series_of(zoo), multiples),
        "runs": [_kept(row) for row in rows if row["fits"]],
    }


def _name(row: Row) -> Row:
    return {name: row[name] for name in KEY[:-1]}


def _over_s(row: Row) -> float:
    """Return by how many seconds a fine-tune has exceeded its part of the limit."""
    limit_s: float = row.get("fraction", 1.0) * row["limit_s"]
    return float(row["elapsed_s"] - limit_s)


def _kept(row: Row) -> Row:
    """Return what the result holds of a run; `wall_s` and the rest stay in the log."""
    names = ("fraction", "regime", "val_accuracy", "accuracy", "predicted_accuracy", "elapsed_s")
    return {**_name(row), **{name: row[name] for name in names if row.get(name) is not None}}


if __name__ == "__main__":
    sys.exit(main())
