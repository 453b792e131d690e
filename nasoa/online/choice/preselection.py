"""Preselection: pick the candidates that are worth a full prediction.

The mixture takes a tenth of a millisecond per candidate, so 100,000 would take ten seconds. Instead
it is evaluated on a sample, and a simple model of what it adds to the default formula is fitted to
that sample: effects of model, frozen stages, schedule, caching, batch normalisation and head,
slopes in the logarithms of learning rate, length and resolution, and curvatures shared by all.
Candidates have only a few values on each of these axes, so the simple model is evaluated for all of
them by looking up its coefficients.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nasoa.online.regimes.run_table import RunTable

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

PENALTY = 0.1


def preselect(
    candidates: RunTable,
    added: Callable[[Indices], Array],
    *,
    sample: int,
    kept: int,
) -> Indices:
    """Return the indices of the candidates that score best, ascending; all if there are few.

    A quarter of them are those that the default formula ranks best, whatever was learned.

    Args:
        candidates: `n` runs with the log-odds of the default formula.
        added: log-odds that the predictor adds to these, for candidates at given indices.
        sample: number of candidates that `added` is called for.
        kept: number of indices to return.
    """
    count = len(candidates)
    if count <= sample + kept:
        return np.arange(count)
    rng = np.random.default_rng(count)
    drawn = rng.choice(count, size=sample, replace=False)
    terms = _terms(candidates)
    coefficients = _fit(terms, drawn, added(drawn))
    scores = candidates.defaults.copy()
    for (index, values), own in zip(terms, coefficients, strict=True):
        scores += own[index] * values
    by_defaults = _largest(candidates.defaults, kept // 4)
    scores[by_defaults] = -np.inf
    return np.sort(np.concatenate([by_defaults, _largest(scores, kept - len(by_defaults))]))


def _terms(table: RunTable) -> list[tuple[Indices, Array]]:
    """Return the `(n,)` coefficient indices of each term and the `(n,)` values they multiply."""
    everywhere = np.zeros(len(table), dtype=np.intp)
    ones = np.ones(len(table))
    rate = _standardised(np.log(table.lr))
    length = _standardised(np.log(table.iterations))
    batch = _standardised(np.log(table.batch_size))
    size = _standardised(np.log(table.resolution))
    frozen, model = table.frozen_stages.astype(np.intp) + 1, table.model.codes
    flags = [flag.astype(np.intp) for flag in (table.cached_features, table.fitted_head)]
    shared = [ones, rate**2, length**2, rate * length, batch, batch * length, size**2]
    return [
        *((everywhere, values) for values in shared),
        *((frozen, values) for values in (ones, rate, length)),
        *((model, values) for values in (ones, rate, length, size)),
        *((kind, ones) for kind in (table.lr_schedule.codes, table.bn.codes, *flags)),
    ]


def _standardised(values: Array) -> Array:
    return np.asarray((values - values.mean()) / (values.std() or 1.0), dtype=np.float64)


def _fit(terms: list[tuple[Indices, Array]], drawn: Indices, targets: Array) -> list[Array]:
    """Return the coefficients of each term, by ridge regression on the sampled candidates."""
    sizes = [int(index.max()) + 1 for index, _ in terms]
    ends = np.cumsum(sizes)
    design = np.zeros((len(drawn), int(ends[-1])))
    rows = np.arange(len(drawn))
    for (index, values), start in zip(terms, ends - sizes, strict=True):
        design[rows, start + index[drawn]] = values[drawn]
    gram = design.T @ design + PENALTY * np.eye(design.shape[1])
    found = np.linalg.solve(gram, design.T @ targets)
    return np.split(np.asarray(found, dtype=np.float64), ends[:-1])


def _largest(scores: Array, count: int) -> Indices:
    return np.argpartition(-scores, count - 1)[:count] if count else np.empty(0, dtype=np.intp)
