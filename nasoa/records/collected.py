"""A row of the table of known fine-tunes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nasoa.ranges import (
    AtLeastOne,
    Count,
    Fraction,
    FrozenStages,
    NotNegative,
    Positive,
    Rate,
    Seconds,
    Seed,
)
from nasoa.records.recommendation import BN_ALL, Regime
from nasoa.records.task import MetaFeatures, Probe
from nasoa.records.zoo_entry import ZooEntry

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
