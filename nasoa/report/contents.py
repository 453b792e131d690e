"""What a page about a store is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nasoa.offline.search import Progress, SearchConfig
from nasoa.records import Evaluation, Experience, FailedRun, Outcome
from nasoa.report.version_row import VersionRow


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """A model of the zoo and what a training step of all its parts takes.

    The step is one of a batch of `batch_size` images at `resolution` pixels; `is_measured` tells a
    measured time from an estimate. `accuracy` is that on the validation images of `source`.
    """

    name: str
    family: str
    source: str
    accuracy: float
    resolution: int
    batch_size: int
    step_ms: float
    image_ms: float
    is_measured: bool
    macs: int
    num_params: int


@dataclass(frozen=True, kw_only=True)
class SearchResults:
    """A search; `generations` hold encodings, and `evaluations` are by encoding."""

    name: str
    config: SearchConfig
    generations: tuple[tuple[str, ...], ...]
    evaluations: Mapping[str, Evaluation]
    progress: tuple[Progress, ...]


@dataclass(frozen=True, kw_only=True)
class StoreContents:
    """Everything in a store that its page shows; sequences are oldest first.

    `hardware` is where the step times of `models` hold. `versions` are those of the default
    predictor, `paper_versions` those of the paper's, whose weights are the alpha of Eq. 4.
    `intervals` are the 90 % intervals of the predicted accuracy of the newest tasks, by task.
    """

    uri: str = ""
    hardware: str = ""
    models: tuple[ModelRow, ...] = ()
    searches: tuple[SearchResults, ...] = ()
    experiences: tuple[Experience, ...] = ()
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    versions: tuple[VersionRow, ...] = ()
    paper_versions: tuple[VersionRow, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    failures: tuple[FailedRun, ...] = ()
