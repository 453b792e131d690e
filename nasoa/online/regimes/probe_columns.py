"""The probe columns of a table: select the probe for a model and a resolution."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nasoa.online.regimes.log_odds import log_odds
from nasoa.online.regimes.run_table import PROBE_COLUMNS, RunTable
from nasoa.records import CollectedRecord, Probe, ZooEntry

Array = NDArray[np.float64]

NO_PROBE = (np.nan, 0.0, 0.0, np.nan)
MOST_PIXELS = 1 << 16


def nearest_probe(probes: Iterable[Probe], model: str, resolution: int) -> Probe | None:
    """Return the probe of a model at the nearest resolution; None if it was not probed."""
    own = [probe for probe in probes if probe.model == model]
    return min(own, key=lambda p: abs(math.log(p.resolution / resolution)), default=None)


def probe_of_source(probes: Iterable[Probe], entry: ZooEntry) -> Probe | None:
    """Return the probe of another model that was pretrained on the same source as `entry`.

    Select the model with the nearest accuracy on that source; return None if no such model was
    probed.
    """
    same = [
        p
        for p in probes
        if (p.source, p.source_classes) == (entry.source, entry.num_classes)
        and p.model != entry.name
    ]
    return min(same, key=lambda p: abs(p.source_accuracy - entry.source_accuracy), default=None)


def probe_values(
    probes: Sequence[Probe], entry: ZooEntry, resolution: int
) -> tuple[float, float, float, float]:
    """Return `PROBE_COLUMNS` of a regime with a model at a resolution."""
    own = nearest_probe(probes, entry.name, resolution)
    if own is not None:
        gain = _gain(own.accuracy, own.reference_accuracy)
        return gain, math.log2(resolution / own.resolution), 0.0, entry.source_accuracy
    other = probe_of_source(probes, entry)
    if other is None:
        return NO_PROBE
    zoom, probed_zoom = resolution / entry.resolution, other.resolution / other.model_resolution
    gain = _gain(other.accuracy, other.reference_accuracy)
    return gain, math.log2(zoom / probed_zoom), 1.0, other.source_accuracy


def values_of_record(record: CollectedRecord) -> tuple[float, float, float, float]:
    """Return `PROBE_COLUMNS` of a collected run, which has at most the probe of its own model."""
    if (
        record.probe_accuracy is None
        or record.probe_reference_accuracy is None
        or record.probe_resolution is None
    ):
        return NO_PROBE
    octaves = math.log2(record.resolution / record.probe_resolution)
    gain = _gain(record.probe_accuracy, record.probe_reference_accuracy)
    return gain, octaves, 0.0, record.model_source_accuracy


def probe_columns(
    table: RunTable, zoo: Mapping[str, ZooEntry], probes: Sequence[Probe]
) -> dict[str, Array]:
    """Return `PROBE_COLUMNS` of every row, by name; all rows belong to the probed task."""
    key = table.model.codes * MOST_PIXELS + table.resolution.astype(np.int64)
    _, first, rows = np.unique(key, return_index=True, return_inverse=True)
    distinct = [
        probe_values(probes, zoo[table.model[row]], int(table.resolution[row]))
        for row in first.tolist()
    ]
    columns = np.array(distinct, dtype=np.float64).reshape(-1, len(PROBE_COLUMNS))[rows].T
    return dict(zip(PROBE_COLUMNS, columns, strict=True))


def _gain(accuracy: float, reference_accuracy: float) -> float:
    return float(log_odds(accuracy) - log_odds(reference_accuracy))
