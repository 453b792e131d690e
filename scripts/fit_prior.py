"""Fit the default formula's constants to collected fine-tunes.

    python -m scripts.fit_prior [FILE.parquet ...]

Without files, the table that comes with the package is used. The fit is least squares on log-odds
with a robust loss; each data set has the same weight, and each constant is regularised towards its
start as strongly as one data set would change it. Each run is fitted as it is, without its probe,
and, if the same images were also used at another resolution, with the probe made there. Prints the
mean absolute error of accuracies with all data sets, and on data sets and on families of models
that were left out of the fit.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from nasoa.online.collecting.collected_table import read_table
from nasoa.online.collecting.starter import TABLE
from nasoa.online.predictor.prior import CONSTANTS, DefaultPrior
from nasoa.online.regimes.log_odds import from_log_odds, log_odds
from nasoa.online.regimes.tabulate import tabulate_collected
from nasoa.online.task.task_name import source_of
from nasoa.records import CollectedRecord, to_json

Array = NDArray[np.float64]

# Weight of a constant's deviation from its start, relative to it or, if it is small, to 1.
HELD = 0.3
# Constants that are single numbers, in the order of a vector.
NUMBERS = tuple(name for name, value in asdict(DefaultPrior()).items() if isinstance(value, float))
POSITIVE = (
    "sharpness",
    "typical_images_per_class",
    "distance_width",
    "epochs_to_gain",
    "recovery_width",
    "recovery_epochs",
    "images_per_epoch",
    "few_images_per_class",
    "size_cost",
    "small_lr_cost",
    "large_lr_cost",
    "batch_cost",
)


def main() -> None:
    """Fit, print errors, and write the constants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", type=Path, default=[TABLE], metavar="FILE.parquet")
    parser.add_argument("--no-held-out", action="store_true", help="only fit and write")
    arguments = parser.parse_args()
    records = [record for path in arguments.tables for record in read_table(path)]
    prior = fitted(records)
    report("all, fitted to all", prior, records)
    if not arguments.no_held_out:
        for what in ("dataset", "model_family"):
            held_out(records, what)
    CONSTANTS.write_bytes(to_json(prior))


def fitted(records: Sequence[CollectedRecord]) -> DefaultPrior:
    """Fit the constants of the formula to records."""
    # As they are, as if nothing had been probed, and as if another resolution had been.
    unprobed = [replace(record, probe_accuracy=None) for record in records]
    fitted_to = [*records, *unprobed, *with_other_probes(records)]
    table = tabulate_collected(fitted_to)
    targets = log_odds([record.accuracy for record in fitted_to])
    names = np.array([source_of(record.dataset) for record in fitted_to])
    counts = {name: int((names == name).sum()) for name in set(names)}
    weights = np.sqrt(len(fitted_to) / len(counts) / np.array([counts[name] for name in names]))
    start = _vector(DefaultPrior())
    scales = np.maximum(np.abs(start), 1.0)

    def residuals(moved: Array) -> Array:
        expected = _prior(start + moved * scales).log_odds(table)
        return np.concatenate(
            [weights * (expected - targets), HELD * np.sqrt(len(names) / 50) * moved]
        )

    found = least_squares(
        residuals,
        np.zeros_like(start),
        bounds=(_least(start) / scales, np.inf),
        loss="soft_l1",
        f_scale=0.5,
    )
    return _prior(start + found.x * scales)


def with_other_probes(records: Sequence[CollectedRecord]) -> list[CollectedRecord]:
    """Return runs with the probe of the same model on the same images at another resolution."""
    probes: dict[tuple[object, ...], dict[int, CollectedRecord]] = {}
    for record in records:
        if record.probe_resolution is not None:
            probes.setdefault(_images(record), {})[record.probe_resolution] = record
    return [
        replace(
            record,
            probe_resolution=resolution,
            probe_accuracy=other.probe_accuracy,
            probe_reference_accuracy=other.probe_reference_accuracy,
        )
        for record in records
        if record.probe_accuracy is not None
        for resolution, other in probes[_images(record)].items()
        if resolution != record.probe_resolution
    ]


def _images(record: CollectedRecord) -> tuple[object, ...]:
    """Return what only runs of one model on the same images have in common."""
    return (
        record.model,
        record.dataset,
        record.seed,
        record.num_classes,
        record.num_images,
        record.landmark_accuracy,
    )


def held_out(records: Sequence[CollectedRecord], what: str) -> None:
    """Print the error on each data set, or family, of a formula fitted without it."""
    groups = sorted({source_of(getattr(record, what)) for record in records})
    errors = []
    for group in groups:
        inside = [r for r in records if source_of(getattr(r, what)) == group]
        outside = [r for r in records if source_of(getattr(r, what)) != group]
        errors.append(report(f"{what} {group} left out", fitted(outside), inside))
    print(f"mean over {what}: {np.mean(errors):.4f}")  # noqa: T201


def report(name: str, prior: DefaultPrior, records: Sequence[CollectedRecord]) -> float:
    """Print and return the mean absolute error of accuracies."""
    table = tabulate_collected(records)
    accuracies = np.array([record.accuracy for record in records])
    error = float(np.abs(from_log_odds(prior.log_odds(table)) - accuracies).mean())
    print(f"{name}: {error:.4f} ({len(records)} records)")  # noqa: T201
    return error


def _least(start: Array) -> Array:
    """Return how far each constant may fall: costs, weights and slopes to 0."""
    least = np.full_like(start, -np.inf)
    for index, name in enumerate(NUMBERS):
        is_bounded = "far" not in name and name.endswith(("_cost", "_weight", "_slope"))
        if is_bounded and name not in POSITIVE:  # the logarithms of those have no bound
            least[index] = -start[index]
    return least


def _vector(prior: DefaultPrior) -> Array:
    plain = asdict(prior)
    numbers = [np.log(plain[name]) if name in POSITIVE else plain[name] for name in NUMBERS]
    # A full fine-tune freezes nothing and a head alone everything: these fractions are known.
    return np.array(
        [*numbers, *plain["frozen_share"][1:-1], *plain["schedule_cost"].values()], dtype=np.float64
    )


def _prior(vector: Array) -> DefaultPrior:
    base = DefaultPrior()
    plain = asdict(base)
    values = dict(zip(NUMBERS, vector[: len(NUMBERS)].tolist(), strict=True))
    for name in POSITIVE:
        values[name] = float(np.exp(min(values[name], 20.0)))
    shares, costs = vector[len(NUMBERS) :][:4], vector[len(NUMBERS) + 4 :]
    return replace(
        base,
        **values,
        # What fewer parts can gain, more parts can gain too.
        frozen_share=(0.0, *np.maximum.accumulate(np.clip(shares, 0.0, 1.0)).tolist(), 1.0),
        schedule_cost=dict(zip(plain["schedule_cost"], costs.tolist(), strict=True)),
    )


if __name__ == "__main__":
    main()
