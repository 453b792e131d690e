"""The model of a zoo that is to be pretrained, and whether the zoo has it already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from nasoa.arch import parse
from nasoa.config import PretrainConfig
from nasoa.data.fingerprint import fingerprint
from nasoa.errors import InvalidInput
from nasoa.offline.pretrain import recipe_digest
from nasoa.offline.search import architecture_hash
from nasoa.records import ZooEntry
from nasoa.steps import zoo as zoo_steps
from nasoa.steps.sources import source_store
from nasoa.store import ArtifactStore, keys, open_store

STATE = "state"


@dataclass(frozen=True, kw_only=True)
class PretrainRequest:
    """The model of a zoo to pretrain.

    Args:
        zoo: name of the zoo.
        encoding: encoding of the architecture.
        data: DATA of the source data set.
        config: the training recipe.
        limit_s: time limit in seconds, by which the schedule has ended.
        unlabelled: further DATA whose training images a teacher explains; their labels are not
            used.
    """

    zoo: str
    encoding: str
    data: str
    config: PretrainConfig
    limit_s: float
    unlabelled: Sequence[str] = ()

    @property
    def name(self) -> str:
        """Name of the model in the zoo."""
        return f"{self.zoo}-{architecture_hash(parse(self.encoding))[:8]}"

    @property
    def prefix(self) -> str:
        """Prefix of the keys of its checkpoint and metrics."""
        return keys.pretraining(self.zoo, self.name)

    @cached_property
    def recipe(self) -> str:
        """Digest that tells its recipe and its images from others; computing it reads the data.

        Raises:
            DataError: the data are missing or cannot be read.
        """
        data = (self.data, *self.unlabelled)
        return recipe_digest(self.config, [fingerprint(text, source_store(text)) for text in data])

    @property
    def state_key(self) -> str:
        """Key of its checkpoint; that of another recipe does not continue this one."""
        return f"{self.prefix}{STATE}-{self.recipe}.safetensors"

    @property
    def epochs_key(self) -> str:
        """Key of the metrics of its epochs."""
        return f"{self.prefix}epochs-{self.recipe}.jsonl"


def check_recipes(store_uri: str, requests: Iterable[PretrainRequest]) -> None:
    """Check that no model is in its zoo by another recipe, before any of them is pretrained.

    Raises:
        InvalidInput: a model is; the message names it.
        DataError: the data are missing or cannot be read.
    """
    store = open_store(store_uri)
    for request in requests:
        finished_entry(store, request)


def finished_entry(store: ArtifactStore, request: PretrainRequest) -> ZooEntry | None:
    """Return the entry of a requested model, or None if its zoo does not have it yet.

    Raises:
        InvalidInput: the zoo has it by another recipe or from other images.
        DataError: the data are missing or cannot be read.
    """
    entry = zoo_steps.load_zoo(store).entries.get(request.name)
    if entry is not None and entry.recipe and entry.recipe != request.recipe:
        raise InvalidInput(
            f"expected the recipe and images that {request.name} in the zoo {request.zoo!r} was "
            f"pretrained with, got others; use the same, or another zoo: --zoo {request.zoo}-2"
        )
    return entry
