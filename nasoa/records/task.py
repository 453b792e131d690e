"""A user's request, and what was measured of it before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass

from nasoa.ranges import AtLeastOne, Count, Fraction, NotNegative, Positive, Seconds, Seed


@dataclass(frozen=True, kw_only=True)
class MetaFeatures:
    """What the predictor knows of a task before anything is trained (section 3.2.1).

    `domain_similarity` is `exp(-0.01 d)`, d the earth mover's distance between the class-mean
    features of the task and those of the pretraining source. `landmark_accuracy` is that of a
    ridge classifier on the same features; None where it was not or could not be measured.
    `image_resolution` is the median of the images' shorter sides in pixels; None in records of
    before it was kept.
    """

    num_classes: AtLeastOne
    num_images: AtLeastOne
    mean_images_per_class: Positive
    std_images_per_class: NotNegative
    domain_similarity: Fraction
    landmark_accuracy: Fraction | None = None
    image_resolution: AtLeastOne | None = None


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
    how long an image took through the reference model, `reference_step_s` how long a training step
    of it took, `small_step_s` one on small images and `depthwise_step_s` one of a network of
    depthwise convolutions on small images, `fit_pass_s` one pass of a fit of a head to 1,024 images
    of 1,280 features, and `loading_image_s` how long reading an image took, 0 if images are in
    memory. All are 0 on a step clock; `hardware` where they were measured. `fingerprint` is that of
    DATA when the task began. `method`: how its regime is chosen, "default" or "paper"
    (`nasoa.steps.methods`). `energy`: what was used so far; None on a step clock.
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
    reference_step_s: Seconds = 0.0
    small_step_s: Seconds = 0.0
    depthwise_step_s: Seconds = 0.0
    fit_pass_s: Seconds = 0.0
    loading_image_s: Seconds = 0.0
    fingerprint: str = ""
    probes: tuple[Probe, ...] = ()
    method: str = "default"
    energy: EnergyUse | None = None
