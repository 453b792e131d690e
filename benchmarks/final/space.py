"""The regimes that hyperparameter optimisation searches, as indices on axes.

The values are those of nasoa's own space (`nasoa.online.regimes.regime_space`): what nasoa ranks,
the others search. A point of the axes is a configuration without length; every configuration trains
as long as its limit allows. Points that do not fit the limit are not part of the space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from benchmarks.final.defaults import step_s
from benchmarks.final.subject import Subject
from nasoa.errors import TimeLimitError
from nasoa.online.regimes.regime_space import LEAST_CACHED, RegimeSpace, admitted_resolutions
from nasoa.online.regimes.schedule_generator import LEAST_ITERATIONS, grid_candidates
from nasoa.records import HEAD_ONLY, Regime


@dataclass(frozen=True)
class Axis:
    """One hyperparameter.

    Args:
        name: its name.
        count: number of its values; a point has an index of one of them.
        is_ordered: whether neighbouring indices are similar values.
    """

    name: str
    count: int
    is_ordered: bool = True


class SearchSpace:
    """All configurations of some models that fit a limit on a data set.

    Args:
        subject: the data set.
        models: the models to search; a single one leaves the hyperparameters only.
        limit_s: time limit of a whole fine-tune in seconds.

    Raises:
        TimeLimitError: nothing fits; the message has the shortest limit that works.
    """

    def __init__(self, subject: Subject, models: Sequence[str], limit_s: float) -> None:
        self._space = RegimeSpace.small()
        self._subject = subject
        self._times = subject.times(models)
        # By size, so that neighbours on the axis are alike.
        self.models = tuple(sorted(models, key=lambda model: step_s(self._times, model)))
        self._limit_s = limit_s
        self._sizes = {
            model: self._space.resolutions
            or admitted_resolutions(subject.zoo.entry(model), subject.task.resolution)
            for model in models
        }
        self._by_fraction = {1.0: self._fitting(1.0)}
        self._all = tuple(self._by_fraction[1.0])
        self._heads = {
            (c.model, c.resolution): c for c in self._all if c.frozen_stages == HEAD_ONLY
        }
        space = self._space
        axes = (
            Axis("model", len(self.models), is_ordered=False),
            Axis("resolution", max(map(len, self._sizes.values()))),
            Axis("frozen_stages", len(space.frozen_stages)),
            Axis("lr", len(space.lrs)),
            Axis("batch_size", len(space.batch_sizes)),
            Axis("lr_schedule", len(space.schedules), is_ordered=False),
            Axis("cached_features", 1 + space.caches, is_ordered=False),
            Axis("bn", len(space.bns), is_ordered=False),
            Axis("fitted_head", len(space.fitted_heads), is_ordered=False),
        )
        self.axes = tuple(axis for axis in axes if axis.count > 1)
        names = [axis.name for axis in self.axes]
        points = product(*(range(axis.count) for axis in self.axes))
        every = (dict(zip(names, point, strict=True)) for point in points)
        self._points = [point for point in every if self.configuration(point) is not None]

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, configuration: Regime) -> bool:
        return configuration in self._by_fraction[1.0]

    def configuration(self, point: Mapping[str, int]) -> Regime | None:
        """Return the configuration at a point, without length; None if it does not fit the limit.

        Args:
            point: an index for each axis. A head alone has only a model and a resolution.
        """
        space = self._space
        model = self.models[point.get("model", 0)]
        # Sizes depend on the model: the axis goes from its smallest to its largest.
        sizes = self._sizes[model]
        longest = max(map(len, self._sizes.values()))
        size = sizes[point.get("resolution", 0) * len(sizes) // longest]
        frozen = space.frozen_stages[point.get("frozen_stages", 0)]
        if frozen == HEAD_ONLY:
            return self._heads.get((model, size))
        configuration = Regime(
            model=model,
            lr=space.lrs[point.get("lr", 0)],
            frozen_stages=frozen,
            iterations=1,
            batch_size=space.batch_sizes[point.get("batch_size", 0)],
            resolution=size,
            lr_schedule=space.schedules[point.get("lr_schedule", 0)],
            cached_features=bool(point.get("cached_features", 0)) and frozen >= LEAST_CACHED,
            fills_limit=False,
            bn=space.bns[point.get("bn", 0)],
            fitted_head=space.fitted_heads[point.get("fitted_head", 0)],
        )
        return configuration if configuration in self else None

    def sample(self, rng: np.random.Generator) -> dict[str, int]:
        """Sample a point that fits the limit, each with the same probability."""
        return self._points[int(rng.integers(len(self._points)))]

    def limit_s(self, fraction: float) -> float:
        """Return the limit in seconds of a fine-tune at a fraction of the whole."""
        return fraction * self._limit_s

    def regime(self, configuration: Regime, fraction: float = 1.0) -> Regime:
        """Return a configuration with the length that fits a fraction of the limit.

        One that does not fit is the shortest there is: its training ends when the time is over.
        """
        if fraction not in self._by_fraction:
            self._by_fraction[fraction] = self._fitting(fraction)
        found = self._by_fraction[fraction].get(configuration)
        if found is not None:
            return found
        whole = self._by_fraction[1.0][configuration]
        return replace(whole, iterations=min(whole.iterations, LEAST_ITERATIONS), fills_limit=True)

    def _fitting(self, fraction: float) -> dict[Regime, Regime]:
        """Return the regimes that fit a fraction of the limit, by configuration."""
        try:
            budget = self._subject.budget(self.limit_s(fraction))
            found = grid_candidates(self._space, self._times, budget)
        except TimeLimitError:
            if fraction == 1.0:
                raise
            return {}
        return {without_length(regime): regime for regime in found.regimes()}


def without_length(regime: Regime) -> Regime:
    """Return the configuration of a regime."""
    return replace(regime, iterations=1, fills_limit=False)
