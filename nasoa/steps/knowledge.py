"""What a store knows: its experiences and the versions of its predictor."""

from __future__ import annotations

from dataclasses import dataclass

from nasoa.errors import CorruptRecord
from nasoa.online.experience_predictor import PREDICTOR_NAME, ExperiencePredictor
from nasoa.records import Experience
from nasoa.store import experience_log, open_store, snapshots


@dataclass(frozen=True, kw_only=True)
class PredictorVersion:
    """A version of the predictor, for people.

    `num_learned` counts all tasks that it knows, `new` names those that it added; `alpha` are the
    weights of the experts.
    """

    version: int
    parent: int
    num_learned: int
    new: tuple[str, ...]
    alpha: tuple[float, ...]
    created_at: str
    code_version: str


def predictor_versions(store_uri: str) -> list[PredictorVersion]:
    """All versions that can be read, oldest first; a corrupt one is left out."""
    store = open_store(store_uri)
    rows = []
    for version in snapshots.versions(store, PREDICTOR_NAME):
        try:
            state, info = snapshots.load(store, PREDICTOR_NAME, version)
        except CorruptRecord:
            continue
        rows.append(
            PredictorVersion(
                version=info.version,
                parent=info.parent,
                num_learned=len(info.learned),
                new=info.new,
                alpha=tuple(ExperiencePredictor.from_state(state).expert_weights.values()),
                created_at=info.created_at,
                code_version=info.code_version,
            )
        )
    return rows


def experiences(store_uri: str) -> list[Experience]:
    """All finished fine-tunes, oldest first."""
    found = experience_log.read_all(open_store(store_uri))
    return sorted(found, key=lambda experience: experience.created_at)
