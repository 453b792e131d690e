"""What was measured of each network, and the differences between networks that decide."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from benchmarks.paired_summary import student_interval
from benchmarks.run_log import Row, RunLog
from benchmarks.transfer.plan import MEASURES, RESOLUTIONS, Measure, sets_of
from benchmarks.transfer.weights import TODAY, Weights

BETTER = 0.01  # mean difference from which weights ship, and networks join
GROUPS = ("known", "unseen")
DECISIVE = [measure for measure in MEASURES if measure.kind != "limit"]

BySeed = Mapping[int, float]


@dataclass(frozen=True)
class Judged:
    """The results of one network.

    Args:
        weights: the network.
        steps_ms: training step in ms by resolution in pixels, of those that were measured.
        accuracies: accuracies by measure, data set and seed.
    """

    weights: Weights
    steps_ms: Mapping[int, float]
    accuracies: Mapping[Measure, Mapping[str, BySeed]]

    @classmethod
    def of(cls, weights: Weights, log: RunLog) -> Judged:
        """Return the results of a network from the lines of the log."""
        own = [row for row in log.rows if row["digest"] == weights.digest]
        accuracies: dict[Measure, dict[str, dict[int, float]]] = {m: {} for m in MEASURES}
        for row in own:
            of_measure = accuracies.get(Measure(row["kind"], row["size"]))
            if of_measure is not None:
                of_measure.setdefault(row["data"], {})[row["seed"]] = row["accuracy"]
        steps = {row["size"]: row["step_ms"] for row in own if row["kind"] == "step"}
        return cls(weights, {r: steps[r] for r in RESOLUTIONS if r in steps}, accuracies)

    @property
    def name(self) -> str:
        """Name of the network."""
        return self.weights.entry.name

    @property
    def is_packaged(self) -> bool:
        """Whether these are the weights of the package."""
        return self.weights.source == TODAY

    def mean(self, measure: Measure, names: Sequence[str]) -> float | None:
        """Return the mean accuracy over data sets; None if one is missing, or there are none."""
        known = self.accuracies[measure]
        if not names or not set(names) <= set(known):
            return None
        return statistics.fmean(statistics.fmean(known[name].values()) for name in names)


# Data set -> difference of accuracies, the mean over seeds.
Differences = Mapping[str, float]


def summarised(by_measure: Mapping[tuple[str, Measure], Differences], verdict: str) -> Row:
    """Return the fields that tell how much better a network is, and whether that is enough.

    A measure and group have a mean with a 95 % interval over data sets, as soon as all of their
    data sets are there. `mean` is over linear heads and full fine-tunes of the known sets, with
    `interval`, that of the data sets' own means; `unseen` is the same mean on the unseen sets.
    They are missing as long as a run that they rest on is.

    Args:
        by_measure: differences on the data sets of each group and measure.
        verdict: name of the field that tells whether the mean is at least `BETTER`.
    """
    row: Row = {}
    complete: dict[str, list[Differences]] = {group: [] for group in GROUPS}
    for (group, measure), found in by_measure.items():
        if not found or len(found) < len(sets_of(measure)[group]):
            continue
        values = student_interval(list(found.values()))
        row[f"{group}, {measure.label}"] = [round(value, 4) for value in values]
        if measure in DECISIVE:
            complete[group].append(found)
    for group, name in zip(GROUPS, ("mean", "unseen"), strict=True):
        if len(complete[group]) < len(DECISIVE):
            continue
        own = [
            statistics.fmean(found[data] for found in complete[group])
            for data in complete[group][0]
        ]
        mean, low, high = student_interval(own)
        row[name] = round(mean, 4)
        if group == "known":
            row |= {"interval": [round(low, 4), round(high, 4)], verdict: mean >= BETTER}
    return row


def differences(judged: Sequence[Judged]) -> list[Row]:
    """Compare each network from a folder with the package's of the same name; see `summarised`.

    `ships` is whether the mean difference is at least .01.
    """
    today = {one.name: one for one in judged if one.is_packaged}
    rows = []
    for one in judged:
        before = today.get(one.name)
        if before is None or one.is_packaged:
            continue
        pairs = {
            (group, measure): _paired(one.accuracies[measure], before.accuracies[measure], names)
            for group, measure in product(GROUPS, MEASURES)
            if (names := sets_of(measure)[group])
        }
        label = {"label": one.weights.label, "model": one.name}
        rows.append(label | summarised(pairs, "ships"))
    return rows


def _paired(
    new: Mapping[str, BySeed], old: Mapping[str, BySeed], names: Sequence[str]
) -> Differences:
    """Return the mean difference on each data set that both have, with the same seeds."""
    return {
        name: statistics.fmean(new[name][seed] - old[name][seed] for seed in new[name])
        for name in names
        if name in new and new[name].keys() == old.get(name, {}).keys()
    }
