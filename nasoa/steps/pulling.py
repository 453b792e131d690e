"""Download ImageNet models of torchvision into a store, for machines without internet access."""

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
    """The result for one model.

    Args:
        model: its name in the zoo, or its torchvision name if it failed.
        status: `added`, `present` (the store already had it), or `failed`.
        detail: its size and accuracy, or the reason of the failure in one line.
    """

    model: str
    status: str
    detail: str


def pull(store: ArtifactStore, models: Sequence[str]) -> Iterator[Pulled]:
    """Add torchvision models with their default weights to a store, one after another.

    Each becomes a separate zoo, `torchvision-NAME`, as soon as its weights are checked: if the pull
    is interrupted, the models before that are in the store. A model whose name is already in the
    store is neither downloaded nor read.

    Args:
        store: store to add the models to.
        models: torchvision names.

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
