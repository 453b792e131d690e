"""The runs that the default formula is fitted to."""

from __future__ import annotations

from dataclasses import replace

from nasoa.online.collecting.starter import collected_runs
from scripts.fit_prior import with_other_probes


def test_a_run_is_also_seen_with_the_probe_of_another_resolution() -> None:
    """Only with one of the same model on the same images."""
    records = collected_runs()
    found = with_other_probes(records)
    assert len(found) > 1000
    by_run = {(record.run_id, record.iterations): record for record in records}
    for record in found:
        own = by_run[record.run_id, record.iterations]
        assert own.probe_resolution == own.resolution
        assert record.probe_resolution != own.resolution
        back = replace(
            record,
            probe_resolution=own.probe_resolution,
            probe_accuracy=own.probe_accuracy,
            probe_reference_accuracy=own.probe_reference_accuracy,
        )
        assert back == own
        assert any(
            (other.probe_resolution, other.probe_accuracy, other.model, other.dataset)
            == (record.probe_resolution, record.probe_accuracy, record.model, record.dataset)
            and (other.seed, other.num_images) == (record.seed, record.num_images)
            for other in records
        )
    one = next(record for record in records if record.probe_accuracy is not None)
    alone = [one, replace(one, seed=one.seed + 1, probe_resolution=one.resolution + 32)]
    assert with_other_probes(alone) == []
