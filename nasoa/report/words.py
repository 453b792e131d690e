"""Describe a regime and the end of its training in words."""

from __future__ import annotations

from collections.abc import Sequence

from nasoa.records import (
    FITTED,
    HEAD_ONLY,
    EnergyUse,
    Experience,
    MetaFeatures,
    Reason,
    Regime,
)

TRAINED = {
    -1: "everything",
    0: "all but the stem",
    1: "stages 2 to 4 and head",
    2: "stages 3, 4 and head",
    3: "stage 4 and head",
    4: "the head alone",
}
ENDED = {
    "iterations": "all planned iterations are done",
    "deadline": "the time limit was near",
    "diverged": "the loss became NaN or infinite; the best earlier checkpoint was used",
}


def trained_parts(regime: Regime) -> str:
    """Describe what a regime trains."""
    parts = TRAINED[regime.frozen_stages]
    is_notable = regime.cached_features and regime.frozen_stages != HEAD_ONLY
    return f"{parts}, on cached features" if is_notable else parts


def regime_words(regime: Regime) -> str:
    """Describe how a regime trains: learning rate, iterations times batch size, resolution.

    A head that is fitted has no learning rate.
    """
    is_fitted = regime.lr_schedule == FITTED
    how = FITTED if is_fitted else f"lr {regime.lr:g}, {regime.lr_schedule}"
    return f"{how}; {regime.iterations} x {regime.batch_size} images at {regime.resolution} px"


def whole_regime(regime: Regime) -> str:
    """Describe what a regime trains, and how."""
    return f"{trained_parts(regime)}, {regime_words(regime)}"


def why(reasons: Sequence[Reason], most: int = 3) -> str:
    """List the features that changed a prediction most, and by how much accuracy."""
    return ", ".join(f"{reason.feature} {reason.gain:+.3f}" for reason in reasons[:most])


def minute(created_at: str) -> str:
    """Return a time in ISO form, to the minute."""
    return created_at[:16].replace("T", " ")


def duration(seconds: float) -> str:
    """Return seconds in a unit that is easy to read."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def ending(ended: str) -> str:
    """Explain why the training ended; an unknown reason is shown unchanged."""
    return ENDED.get(ended, ended)


def miss(experience: Experience) -> str:
    """Describe how far the prediction was off."""
    difference = round(experience.accuracy - experience.predicted_accuracy, 3)
    if difference == 0:
        return "as predicted"
    return f"{abs(difference):.3f} {'better' if difference > 0 else 'worse'} than predicted"


def time_used(experience: Experience) -> str:
    """Return the seconds used, out of the limit."""
    limit_s = experience.task.time_limit_s
    used = f"{experience.elapsed_s:.1f} of {limit_s:g} s"
    return f"{used} (over the limit)" if experience.elapsed_s > limit_s else used


def landmark(meta: MetaFeatures) -> str:
    """Return the accuracy of a simple classifier on the task as text."""
    known = meta.landmark_accuracy
    return "not measured" if known is None else f"{known:.3f}"


def energy_words(energy: EnergyUse | None) -> str:
    """Describe the energy and carbon dioxide of a task, and those of a search, in one line."""
    if energy is None:
        return "not measured"
    source = "measured" if energy.cpu_source == "rapl" else "estimated from CPU time"
    search_wh = energy.energy_wh + energy.saved_wh
    return (
        f"{energy.energy_wh:.3g} Wh, {energy.co2_g:.2g} g CO2, {source}; a search of "
        f"{energy.search_trainings} trainings: {search_wh:.2g} Wh"
    )
