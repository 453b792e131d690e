"""The experiences of a store and the versions of its predictor."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from nasoa.errors import CorruptRecord, InvalidInput, ObjectNotFound
from nasoa.records import Experience
from nasoa.report.version_row import VersionRow
from nasoa.steps.learning import FIRST_VERSION, first_version, restore
from nasoa.steps.methods import DEFAULT, Method
from nasoa.store import ArtifactStore, experience_log, snapshots, thinning
from nasoa.store.snapshots import Snapshot
from nasoa.store.version_info import SnapshotInfo
from nasoa.work_progress import reported

logger = logging.getLogger(__name__)


def predictor_versions(
    store: ArtifactStore, last: int = 0, method: Method = DEFAULT
) -> list[VersionRow]:
    """Return the versions of a method's predictor, or only the `last` ones, oldest first.

    Corrupt versions are logged and skipped. A store without versions has the first one, which its
    first update will write.
    """
    numbers = snapshots.versions(store, method.predictor_name)
    if not numbers:
        return [_row(first_version(store, method), method)]
    rows = []
    for version in reported(numbers[-last:], "versions"):
        try:
            snapshot = snapshots.load(store, method.predictor_name, version)
        except ObjectNotFound:
            continue  # it was deleted by thinning since it was listed
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
            continue
        rows.append(_row(snapshot, method))
    return rows


def version_history(store: ArtifactStore, method: Method = DEFAULT) -> list[VersionRow]:
    """Return all versions of a method's predictor, oldest first, also those that were thinned out.

    Those of early releases, which did not record the weights of experts, have none. A store without
    versions has the first one of the default predictor, which its first update will write.
    """
    found = thinning.information(store, method.predictor_name)
    if not found and method is DEFAULT:
        return [_row(first_version(store, method), method)]
    return [_row_of(past.info, past.num_learned, past.info.record.weights) for past in found]


def predictor_version(store: ArtifactStore, version: int, method: Method = DEFAULT) -> VersionRow:
    """Return one version of a method's predictor, also if thinning deleted its tensors.

    Raises:
        InvalidInput: there is no version of this number, or it cannot be read.
    """
    name = method.predictor_name
    if version == FIRST_VERSION and not snapshots.versions(store, name):
        return _row(first_version(store, method), method)
    past = thinning.history(store, name).get(version)
    if past is not None:
        return _row_of(past.info, past.num_learned, past.info.record.weights)
    return _row(snapshots.load_named(store, name, version), method)


def other_predictors(store: ArtifactStore, method: Method = DEFAULT) -> list[str]:
    """Return the names of a method's saved predictors of other layouts, which are not used."""
    return snapshots.other_names(store, method.predictor_name)


def experiences(store: ArtifactStore) -> list[Experience]:
    """Return all finished fine-tunes, oldest first."""
    return experience_log.read_all(store)


def _row(snapshot: Snapshot, method: Method) -> VersionRow:
    info = snapshot.info
    return _row_of(info, len(info.learned), info.record.weights or _weights(snapshot, method))


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


def _weights(snapshot: Snapshot, method: Method) -> dict[str, float]:
    """Return the expert weights of a version of an early release, which did not record them."""
    try:
        return restore(snapshot.state, method).expert_weights
    except InvalidInput as error:
        logger.warning("version %d has no expert weights: %s", snapshot.info.version, error)
        return {}


def _mean(values: Sequence[float], count: int | None = None) -> float | None:
    """Return the sum divided by `count`, the number of values by default; None if that is 0."""
    number = len(values) if count is None else count
    return round(sum(values) / number, 6) if number else None
