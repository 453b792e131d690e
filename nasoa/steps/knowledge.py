"""What a store knows: its experiences and the versions of its predictor."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from nasoa.errors import CorruptRecord, InvalidInput, ObjectNotFound
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.records import Experience
from nasoa.report.version_row import VersionRow
from nasoa.steps.learning import FIRST_VERSION, first_version, restore
from nasoa.store import ArtifactStore, experience_log, snapshots, thinning
from nasoa.store.snapshots import Snapshot
from nasoa.store.version_info import SnapshotInfo

logger = logging.getLogger(__name__)


def predictor_versions(store: ArtifactStore, last: int = 0) -> list[VersionRow]:
    """All versions that can be read, or the `last` ones, oldest first; corrupt ones are named.

    A store without versions has the first one, though it is not written yet.
    """
    numbers = snapshots.versions(store, PREDICTOR_NAME)
    if not numbers:
        return [_row(first_version(store))]
    rows = []
    for version in numbers[-last:]:
        try:
            snapshot = snapshots.load(store, PREDICTOR_NAME, version)
        except ObjectNotFound:
            continue  # it was thinned out since it was listed
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
            continue
        rows.append(_row(snapshot))
    return rows


def predictor_version(store: ArtifactStore, version: int) -> VersionRow:
    """One version, though its predictor may not be kept any more.

    Raises:
        InvalidInput: there is none with this number, or it cannot be read.
    """
    if version == FIRST_VERSION and not snapshots.versions(store, PREDICTOR_NAME):
        return _row(first_version(store))
    past = thinning.history(store, PREDICTOR_NAME).get(version)
    if past is not None:
        return _row_of(past.info, past.num_learned, past.info.record.weights)
    return _row(snapshots.load_named(store, PREDICTOR_NAME, version))


def other_predictors(store: ArtifactStore) -> list[str]:
    """Names of saved predictors of other feature layouts, which this release does not use."""
    return snapshots.other_names(store, PREDICTOR_NAME)


def experiences(store: ArtifactStore) -> list[Experience]:
    """All finished fine-tunes, oldest first."""
    return experience_log.read_all(store)


def _row(snapshot: Snapshot) -> VersionRow:
    info = snapshot.info
    return _row_of(info, len(info.learned), info.record.weights or _weights(snapshot))


def _row_of(info: SnapshotInfo, num_learned: int, weights: dict[str, float]) -> VersionRow:
    record = info.record
    return VersionRow(
        version=info.version,
        kind=info.kind,
        parent=info.parent,
        num_learned=num_learned,
        new=info.new,
        left_out=info.left_out,
        errors=record.errors,
        mean_abs_error=_mean([abs(error) for error in record.errors]),
        mean_abs_error_so_far=_mean([record.sum_abs_error], record.num_errors),
        mean_abs_error_recent=_mean(record.recent),
        num_errors=record.num_errors,
        rang_at=record.rang_at,
        weights=weights,
        created_at=info.created_at,
        code_version=info.code_version,
    )


def _weights(snapshot: Snapshot) -> dict[str, float]:
    """The weights in a version of an early release, which did not note them."""
    try:
        return restore(snapshot.state).expert_weights
    except InvalidInput as error:
        logger.warning("version %d tells no weights: %s", snapshot.info.version, error)
        return {}


def _mean(values: Sequence[float], count: int | None = None) -> float | None:
    """The sum over the count, which is that of the values by default; None for a count of 0."""
    number = len(values) if count is None else count
    return round(sum(values) / number, 6) if number else None
