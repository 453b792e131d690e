"""A small packaged table, and an example collection of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nasoa.online.collecting.starter import collected_runs
from nasoa.records import CollectedRecord, to_json
from nasoa.store import ArtifactStore, keys


def some_packaged() -> list[CollectedRecord]:
    """Return a few runs of two of the packaged data sets."""
    runs = collected_runs()
    datasets = sorted({run.dataset for run in runs})[:2]
    return [run for name in datasets for run in [r for r in runs if r.dataset == name][:8]]


def own_records(name: str = "known", accuracy: float = 0.9) -> list[CollectedRecord]:
    """Return runs of a user's data set; many of "known" have the name of a packaged one."""
    return [
        replace(record, dataset="mine", run_id=f"{name}-{number:06d}", accuracy=accuracy)
        for number, record in enumerate(some_packaged()[:8])
    ]


def collect(store: ArtifactStore, name: str, records: Sequence[CollectedRecord]) -> None:
    """Store records as `nasoa meta-train` does, each as one run."""
    for number, record in enumerate(records):
        store.put(keys.collected_run(name, number), to_json([record]))
