"""Frozen records that cross steps, and their JSON form.

A record holds plain values only, so that it reads the same from a KFP parameter, from the store
and from a test. Accuracies are in [0, 1], times in seconds.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from nasoa.errors import CorruptRecord
from nasoa.ranges import (
    AtLeastOne,
    Count,
    Fraction,
    FrozenStages,
    NotNegative,
    Parts,
    Positive,
    Rate,
    Seconds,
    Seed,
    Sha256,
)
from nasoa.seal import check_json, seal_json

T = TypeVar("T")

_FIRST_LOOK = threading.Lock()
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}

HEAD_ONLY = 4  # `frozen_stages` of a regime that trains the head alone
FITTED = "fitted"  # `lr_schedule` of such a regime: its head is fitted, not stepped

# Where batch-normalisation statistics adapt to the task (appendix 6.2), from most to least.
BN_ALL = "all"  # in frozen and in trained stages
BN_TRAINED = "trained"  # in trained stages only
BN_FIXED = "fixed"  # nowhere


def to_json(record: object) -> bytes:
    """The JSON form of a record, or of a list or mapping of records."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1)


def to_sealed_json(record: object) -> bytes:
    """The JSON form of a record with the SHA-256 that `from_json` compares it with."""
    return seal_json(to_json(record))


def from_json(raw: bytes | str, kind: type[T], key: str = "<json>") -> T:
    """A record of `kind` from its JSON form, sealed or not.

    Raises:
        CorruptRecord: `raw` is not JSON, not that of a `kind`, has a number out of its range, or
            is not what was sealed; names `key`.
    """
    check_json(raw.encode() if isinstance(raw, str) else raw, key)
    try:
        return _decoder(kind).decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptRecord(key, str(error)) from None


def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """The decoder of a kind of records.

    msgspec ends the process with a segmentation fault when two threads look at a dataclass for the
    first time at once, and making its decoder is that first look.
    """
    with _FIRST_LOOK:
        if kind not in _DECODERS:
            _DECODERS[kind] = msgspec.json.Decoder(kind)
        found: msgspec.json.Decoder[T] = _DECODERS[kind]
    return found


@dataclass(frozen=True, kw_only=True)
class MetaFeatures:
    """What the predictor knows of a task before anything is trained (section 3.2.1).

    `domain_similarity` is `exp(-0.01 d)`, d the earth mover's distance between the class-mean
    features of the task and those of the pretraining source. `landmark_accuracy` is that of a
    ridge classifier on the same features; None where it was not or could not be measured.
    """

    num_classes: AtLeastOne
    num_images: AtLeastOne
    mean_images_per_class: Positive
    std_images_per_class: NotNegative
    domain_similarity: Fraction
    landmark_accuracy: Fraction | None = None


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What one model brings to a task, measured on a sample of its training images.

    `accuracy` is the leave-one-out accuracy of a ridge classifier on the model's pooled features
    at `resolution` pixels, `reference_accuracy` that of the reference model's features of the same
    `num_images` images: their difference compares models whatever they were pretrained on.
    `image_s` is how long an image took through the model, 0 where it was not measured. The last
    four are those of the model's `ZooEntry`: what one model of a source brings to a task tells of
    the others.
    """

    model: str
    resolution: AtLeastOne
    num_images: AtLeastOne
    accuracy: Fraction
    reference_accuracy: Fraction
    image_s: Seconds = 0.0
    source: str = ""
    source_accuracy: Fraction = 0.0
    source_classes: Count = 0
    model_resolution: Count = 0


@dataclass(frozen=True, kw_only=True)
class EnergyUse:
    """Energy of a task in watt-hours, and the carbon dioxide of generating it (section 7.5).

    `cpu_source` is "rapl" for the processor's own counters, "tdp" for CPU time times `core_w`, the
    watts of a logical core at full load (`nasoa.training.energy`). `saved_wh` and `saved_co2_g`
    compare the task with a hyperparameter search of `search_trainings` trainings, each of which
    uses as much as the task.
    """

    energy_wh: NotNegative
    co2_g: NotNegative
    cpu_wh: NotNegative
    memory_wh: NotNegative
    gpu_wh: NotNegative
    cpu_source: str
    core_w: NotNegative
    carbon_g_per_kwh: NotNegative
    search_trainings: Count
    saved_wh: NotNegative
    saved_co2_g: NotNegative


@dataclass(frozen=True, kw_only=True)
class Task:
    """One user's request: a data set, a time limit, and what was measured of it.

    `data` is DATA as the user gave it; `dataset` its short name; `resolution` the median of the
    images' shorter sides in pixels. The counts are those of the splits that `seed` gives.
    `mirror_safe`: mirror images were measured to be images of the same class. `used_s` is the part
    of `time_limit_s` that is already spent, on `clock` ("wall" or "steps"); `reference_image_s` is
    how long an image took through the reference model, 0 on a step clock; `hardware` where it
    was measured. `fingerprint` is that of DATA when the task began. `method`: how its regime is
    chosen, "default" or "paper" (`nasoa.steps.methods`). `energy`: what was used so far; None on a
    step clock.
    """

    task_id: str
    data: str
    dataset: str
    time_limit_s: Seconds
    seed: Seed
    class_names: tuple[str, ...]
    num_train: AtLeastOne
    num_val: Count
    num_test: Count
    resolution: AtLeastOne
    meta_features: MetaFeatures
    mirror_safe: bool
    used_s: Seconds
    clock: str
    hardware: str
    reference_image_s: Seconds = 0.0
    fingerprint: str = ""
    probes: tuple[Probe, ...] = ()
    method: str = "default"
    energy: EnergyUse | None = None


@dataclass(frozen=True, kw_only=True)
class Regime:
    """A model and how to fine-tune it: what the generator chooses (Eq. 2).

    `frozen_stages`: -1 nothing, 0 the stem, k the stem and the first k stages, 4 all but the
    head. A head alone is fitted (`lr_schedule` is "fitted") by L-BFGS, whose full step is an `lr`
    of 1; its `iterations` are batches of images whose features it is fitted to, of all that time
    allows if it fills the limit. `cached_features`:
    the frozen part's output is computed once, without augmentation but for mirroring, and reused.
    `fills_limit`: `iterations` is what was predicted to fit, and the trainer may do more if its own
    steps are faster. `bn`: where batch-normalisation statistics adapt ("all", "trained" or
    "fixed"; a cached part's never do). `fitted_head`: training starts from the linear classifier
    that is fitted on the pretrained features (Kumar et al. 2022), not from a head of zeros.
    """

    model: str
    lr: Rate
    frozen_stages: FrozenStages
    iterations: Count
    batch_size: AtLeastOne
    resolution: AtLeastOne
    lr_schedule: str
    cached_features: bool = False
    fills_limit: bool = True
    bn: str = BN_ALL
    fitted_head: bool = False


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What one group of features adds to a prediction (see `nasoa.online.choice.reasons`).

    `gain`: the predicted accuracy less that of the same candidate with this group, say the model,
    replaced by the reference's.
    """

    feature: str
    gain: float


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A regime with what is predicted of it, and why.

    `interval` is the 90 % interval of the accuracy; `reasons` come greatest first.
    """

    regime: Regime
    predicted_accuracy: float
    interval: tuple[float, float]
    predicted_s: Seconds
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """What was chosen for a task, and what else was near: the candidates, best first.

    `predictor_version` 0 and `num_experiences` 0: nothing is learned yet. `note` says in words how
    much the choice rests on experience. `used_s` is the part of the limit that is spent when it is
    made, and `reserve_s` what the steps after the fine-tune are expected to need. `explores`: the
    first candidate is tried in order to learn, though another is predicted to be better.
    `energy`: what the task has used so far; None on a step clock.
    """

    candidates: tuple[Candidate, ...]
    predictor_version: Count
    num_experiences: Count
    note: str
    used_s: Seconds
    reserve_s: Seconds
    explores: bool = False
    energy: EnergyUse | None = None


@dataclass(frozen=True, kw_only=True)
class ZooEntry:
    """A pretrained model that fine-tuning can start from.

    `encoding` is empty for a backbone that the architecture language does not describe; `builder`
    then says how it is built, like `torchvision:resnet18` (see `nasoa.zoo.backbones`).
    `part_macs` and `part_activations` are those of stem, four stages and head for one image at
    `resolution`. `mean` and `std` normalise RGB in [0, 1]. `source` is the data set of the
    pretraining, `source_accuracy` the validation accuracy there. `fixed_resolution`: the network
    takes images of `resolution` only, like ViT. `weights_sha256` is that of its weights in the
    store, under which they lie there; "" for those of the package. `license` is that of the
    pretrained weights, as an SPDX identifier or in words; "" if unknown.
    """

    name: str
    family: str
    encoding: str
    num_params: AtLeastOne
    part_macs: Parts
    part_activations: Parts
    resolution: AtLeastOne
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    num_classes: AtLeastOne
    source: str
    source_accuracy: Fraction
    builder: str = ""
    fixed_resolution: bool = False
    weights_sha256: Sha256 = ""
    license: str = ""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image at `resolution`."""
        return sum(self.part_macs)

    @property
    def activations(self) -> int:
        """Output elements of all convolutions for one image at `resolution`."""
        return sum(self.part_activations)


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One validation during a fine-tune."""

    iteration: Count
    elapsed_s: Seconds
    train_loss: float
    val_accuracy: Fraction


@dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """One epoch of a pretraining.

    `epoch` and `iteration` are those at its end, `elapsed_s` counts from the beginning of the
    pretraining. `lr` is that of the last step, `train_loss` the mean of the steps, `images_per_s`
    how fast all processes together trained, validation left out. An epoch in which a run was cut
    off counts from where it went on.
    """

    epoch: float
    iteration: int
    elapsed_s: float
    lr: float
    train_loss: float
    val_accuracy: float
    images_per_s: float


@dataclass(frozen=True, kw_only=True)
class ArchCosts:
    """What an architecture costs, measured on the search's parent node.

    `step_time_ms`: forward, backward and update of one batch; `inference_ms`: forward of one
    batch; medians after a warm-up. `train_memory_bytes`: parameters, gradients, momentum, and what
    the forward pass of a batch keeps for the backward pass. `macs` and `activations` are those of
    one image, as Table 10 counts them.
    """

    encoding: str
    resolution: AtLeastOne
    batch_size: AtLeastOne
    step_time_ms: NotNegative
    inference_ms: NotNegative
    train_memory_bytes: Count
    macs: Count
    params: Count
    activations: Count
    hardware: str


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One architecture of a search: its costs and how well it trained, or why it did not.

    `accuracy` is that on the proxy's validation images at the end of the short training; None
    where `failure` says what went wrong: "too slow" (its step takes longer than the search allows,
    so it was not trained), "out of memory", "diverged", "timeout", "crashed". `score` is what the
    search maximises, in [0, 1], where that is not the accuracy (`EvaluateConfig.signal`). `seed`
    is that of the weights and batches, `config_hash` names the search's configuration.
    """

    encoding: str
    costs: ArchCosts
    accuracy: Fraction | None
    failure: str
    detail: str
    seed: Seed
    curve: tuple[CurvePoint, ...]
    elapsed_s: Seconds
    hardware: str
    config_hash: str
    code_version: str
    created_at: str
    score: Fraction | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a task that had begun, for whoever operates the store.

    `reason` is why it failed, in a word; "" where it did not. `elapsed_s` is the part of the limit
    that was spent when its model was saved, or when it failed; `durations_s` are those of its
    steps. `store_retries` counts requests to the store that were sent again after a failure.
    """

    task_id: str
    reason: str
    elapsed_s: float
    time_limit_s: float
    durations_s: dict[str, float]
    store_retries: int
    created_at: str
    code_version: str


@dataclass(frozen=True, kw_only=True)
class Experience:
    """One finished fine-tune, with everything needed to learn from it again.

    `regime` is what was done: its iterations are those that were made. `accuracy` is that of the
    test split, looked at once; `val_accuracy` chose the checkpoint. `confusion[i][j]` counts test
    images of class i that were classified as j; the log has it apart where there are many classes
    (`nasoa.store.confusions`), and it is empty then. `ended` is how the training ended (see
    `nasoa.training.run.TrainingResult`). `energy`: what the task used until the model was saved;
    None on a step clock and in records of earlier releases.
    """

    task: Task
    run_id: str
    regime: Regime
    model: ZooEntry
    predicted_accuracy: float
    predictor_version: Count
    accuracy: float
    val_accuracy: float
    elapsed_s: Seconds
    curve: tuple[CurvePoint, ...]
    confusion: tuple[tuple[Count, ...], ...]
    ended: str
    model_dir: str
    code_version: str
    created_at: str
    energy: EnergyUse | None = None


# Metadata of a Parquet file: columns that no predictor of its target may see, as a JSON list.
HIDDEN_KEY = b"nasoa.hidden_columns"
# Another: the column that tells the trainings apart that rows are looks at, as text.
RUN_KEY = b"nasoa.run_column"


@dataclass(frozen=True, kw_only=True)
class CollectedRecord:
    """One row of the table of known fine-tunes: a part of a data set, a model, a regime, a result.

    Records with the same `run_id` are of one training, looked at after several iteration counts.
    `dataset` to `mirror_safe` describe the part that was fine-tuned on, `model` to
    `model_source_accuracy` the model (costs are of one image at `model_resolution`), `lr` to
    `resolution` the regime, as `Regime` has it. `accuracy` is that of `num_test` test images,
    `val_accuracy` chose the checkpoint; `elapsed_s` is from the start of the training to this
    look, on `hardware`, whose other load is not known. `probe_resolution` and the two after it
    are those of the model's `Probe` on the part, None where there was none.
    """

    dataset: str
    run_id: str
    num_classes: AtLeastOne
    num_images: AtLeastOne
    mean_images_per_class: Positive
    std_images_per_class: NotNegative
    domain_similarity: Fraction
    landmark_accuracy: Fraction | None
    image_resolution: AtLeastOne
    mirror_safe: bool
    model: str
    model_family: str
    model_params: AtLeastOne
    model_macs: Count
    model_activations: Count
    model_resolution: AtLeastOne
    model_source: str
    model_source_classes: AtLeastOne
    model_source_accuracy: Fraction
    lr: Rate
    lr_schedule: str
    frozen_stages: FrozenStages
    cached_features: bool
    iterations: Count
    batch_size: AtLeastOne
    resolution: AtLeastOne
    accuracy: Fraction
    val_accuracy: Fraction
    elapsed_s: Seconds
    ended: str
    num_test: Count
    seed: Seed
    hardware: str
    code_version: str
    bn: str = BN_ALL
    fitted_head: bool = False
    probe_resolution: AtLeastOne | None = None
    probe_accuracy: Fraction | None = None
    probe_reference_accuracy: Fraction | None = None

    @classmethod
    def of(
        cls,
        meta: MetaFeatures,
        entry: ZooEntry,
        regime: Regime,
        probe: Probe | None,
        **outcome: Any,
    ) -> CollectedRecord:
        """The record of a part, a model and a regime; `outcome` are the other columns, by name."""
        return cls(
            probe_resolution=probe.resolution if probe else None,
            probe_accuracy=probe.accuracy if probe else None,
            probe_reference_accuracy=probe.reference_accuracy if probe else None,
            bn=regime.bn,
            fitted_head=regime.fitted_head,
            num_classes=meta.num_classes,
            num_images=meta.num_images,
            mean_images_per_class=meta.mean_images_per_class,
            std_images_per_class=meta.std_images_per_class,
            domain_similarity=meta.domain_similarity,
            landmark_accuracy=meta.landmark_accuracy,
            model=entry.name,
            model_family=entry.family,
            model_params=entry.num_params,
            model_macs=entry.macs,
            model_activations=entry.activations,
            model_resolution=entry.resolution,
            model_source=entry.source,
            model_source_classes=entry.num_classes,
            model_source_accuracy=entry.source_accuracy,
            lr=regime.lr,
            lr_schedule=regime.lr_schedule,
            frozen_stages=regime.frozen_stages,
            cached_features=regime.cached_features,
            iterations=regime.iterations,
            batch_size=regime.batch_size,
            resolution=regime.resolution,
            **outcome,
        )


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What a user gets back of a task: the same from the command line and from a pipeline.

    `head_val_accuracy` is what the head alone reached in validation, before anything else was
    trained, `val_accuracy` the chosen checkpoint. `elapsed_s` includes everything from reading the
    data to learning from the result, and so does `energy`, which is None on a step clock.
    """

    task_id: str
    dataset: str
    model: str
    regime: Regime
    predicted_accuracy: float
    accuracy: float
    head_val_accuracy: float
    val_accuracy: float
    elapsed_s: float
    time_limit_s: float
    ended: str
    predictor_version_before: int
    predictor_version_after: int
    model_dir: str
    energy: EnergyUse | None = None


@dataclass(frozen=True, kw_only=True)
class FailedRun:
    """A run of a pipeline that failed or was cancelled.

    `run_id` is KFP's; `subject` what it was about: the data of a task, or the name of a search;
    `state` and `message` are KFP's words.
    """

    run_id: str
    pipeline: str
    subject: str
    state: str
    message: str
    created_at: str
    code_version: str
