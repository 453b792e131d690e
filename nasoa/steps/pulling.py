"""Put ImageNet networks of torchvision into a store, for places that have no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nasoa.errors import BackboneError, UnknownName, WeightsError
from nasoa.records import ZooEntry
from nasoa.steps.zoo import load_zoo
from nasoa.store import ArtifactStore
from nasoa.store.zoo_versions import add_version
from nasoa.zoo.additions import Addition

ADDED = "added"
PRESENT = "present"
FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """What became of one model.

    Args:
        model: its name in the zoo, or that of torchvision where it failed.
        status: `added`, `present` (the store had it), or `failed`.
        detail: its size, or in one line why it failed.
    """

    model: str
    status: str
    detail: str


def pull(store: ArtifactStore, models: Sequence[str]) -> Iterator[Pulled]:
    """Add torchvision models with their default weights to a store, one after another.

    Each becomes a zoo of its own, `torchvision-NAME`, once its weights are checked: when the pull
    is interrupted, all models before are in the store, and no weights are ever copied. A model that
    the store has already, by its name, is neither fetched nor read.

    Args:
        store: where they go.
        models: names of torchvision.

    Raises:
        BackboneError: torchvision is not installed.
        StoreUnavailable: the store cannot be read or written.
    """
    from nasoa.zoo import torchvision_models  # noqa: PLC0415  (torch takes a second)

    torchvision_models.names()
    known = load_zoo(store).entries
    for model in models:
        try:
            name = torchvision_models.pretraining(model, "").name
            if name in known:
                yield Pulled(model=name, status=PRESENT, detail=_size(known[name]))
                continue
            entry = _add(store, model)
        except (BackboneError, UnknownName, WeightsError) as error:
            detail = " ".join(str(error).split())
            yield Pulled(model=model, status=FAILED, detail=detail)
        else:
            yield Pulled(model=entry.name, status=ADDED, detail=_size(entry))


def _add(store: ArtifactStore, model: str) -> ZooEntry:
    from nasoa.zoo.adding import take_in  # noqa: PLC0415

    entry, weights = take_in(Addition(model=f"torchvision:{model}"))
    (added,) = add_version(store, f"torchvision-{model}", {entry.name: (entry, weights)})
    return added


def _size(entry: ZooEntry) -> str:
    return (
        f"{entry.num_params / 1e6:.1f} Mparam, {entry.macs / 1e6:.0f} MMAC at "
        f"{entry.resolution} px, accuracy {entry.source_accuracy:.3f} on {entry.source}"
    )
