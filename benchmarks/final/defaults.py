"""Default hyperparameters, and how long a model takes with them.

The paper fine-tunes its baselines with the defaults of Li et al. 2020 (its [28]) and appendix 6.1:
learning rate 0.01, everything trained, at the size of the pretraining. The batch size of 64 is that
of Table 2. The schedule is cosine, since the limit may be shorter than the first of their steps.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.final.subject import Subject
from nasoa.config import FineTuneConfig
from nasoa.errors import TimeLimitError
from nasoa.online.regimes.regime_space import RegimeSpace, admitted_resolutions
from nasoa.online.regimes.schedule_generator import grid_candidates
from nasoa.online.regimes.task_times import TaskTimes
from nasoa.records import BN_TRAINED, Regime

DEFAULTS = replace(
    RegimeSpace.small(),
    lrs=(0.01,),
    frozen_stages=(-1,),
    batch_sizes=(64,),
    schedules=("cosine",),
    caches=False,
    bns=(BN_TRAINED,),
    fitted_heads=(False,),
)


def default_regime(subject: Subject, model: str, limit_s: float, used_s: float = 0.0) -> Regime:
    """Return a model's default regime, as long as the limit allows.

    Images have the size of the pretraining, or the next smaller one that fits the limit; the
    smallest larger one if no such size is admitted.

    Args:
        subject: the data set.
        model: a model of the zoo.
        limit_s: time limit in seconds.
        used_s: the part of it that is spent.

    Raises:
        TimeLimitError: no size fits; the message has the shortest limit that works.
    """
    budget = subject.budget(limit_s, used_s)
    fitting = grid_candidates(DEFAULTS, subject.times([model]), budget).regimes()
    own = subject.zoo.entry(model).resolution
    smaller = [regime for regime in fitting if regime.resolution <= own]
    if smaller:
        return max(smaller, key=lambda regime: regime.resolution)
    sizes = admitted_resolutions(subject.zoo.entry(model), subject.task.resolution)
    if min(sizes) > own:
        return min(fitting, key=lambda regime: regime.resolution)
    raise TimeLimitError(
        f"expected a limit in which {model} can be fine-tuned at {own} px or less, got "
        f"{limit_s:.1f} s; raise --limits"
    )


def step_s(times: TaskTimes, model: str) -> float:
    """Return the seconds of a step of a model with its default hyperparameters."""
    return times.model.step_time_s(
        times.zoo[model], _resolution(times, model), DEFAULTS.batch_sizes[0], -1, False
    )


def training_limit_s(times: TaskTimes, model: str, epochs: float) -> float:
    """Return the limit in seconds in which a model trains for some epochs with its defaults."""
    (batch_size,) = DEFAULTS.batch_sizes
    regime = Regime(
        model=model,
        lr=DEFAULTS.lrs[0],
        frozen_stages=-1,
        iterations=max(1, round(epochs * times.size.num_train / batch_size)),
        batch_size=batch_size,
        resolution=_resolution(times, model),
        lr_schedule=DEFAULTS.schedules[0],
        bn=BN_TRAINED,
    )
    predicted_s = times.predicted_s(regime)
    config = FineTuneConfig()
    return max(predicted_s + config.least_margin_s, predicted_s / (1.0 - config.margin_fraction))


def _resolution(times: TaskTimes, model: str) -> int:
    """Return the admitted size in pixels that is the nearest to that of the pretraining."""
    entry = times.zoo[model]
    sizes = admitted_resolutions(entry, times.image_resolution)
    return min(sizes, key=lambda size: abs(size - entry.resolution))
