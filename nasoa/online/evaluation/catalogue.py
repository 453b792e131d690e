"""The catalogue of predictors by name."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass, field
from typing import Any

from nasoa.errors import UnknownName
from nasoa.online.mixture.layout import Layout
from nasoa.online.mixture.protocol import RowPredictor

PACKAGE = "nasoa.online"
BASELINES = "evaluation.baselines"
MLP = f"{BASELINES}.adaptive_mlp"


@dataclass(frozen=True)
class Entry:
    """A predictor's class, its settings, and the optional package it needs.

    Modules are imported lazily, since some take a second.
    """

    module: str
    name: str
    setting: dict[str, Any] = field(default_factory=dict)
    needs: str = ""


PREDICTORS = {
    "default": Entry("mixture.mixture", "DefaultPredictor"),
    "running_mean": Entry(f"{BASELINES}.running_mean", "RunningMeanPredictor"),
    "neighbours": Entry(f"{BASELINES}.neighbours", "NeighboursPredictor"),
    "ridge": Entry(f"{BASELINES}.ridge", "RidgePredictor"),
    "mlp_3": Entry(
        f"{BASELINES}.adaptive_mlp", "MLPPredictor", {"num_layers": 3, "is_adaptive": False}
    ),
    "mlp_6": Entry(
        f"{BASELINES}.adaptive_mlp", "MLPPredictor", {"num_layers": 6, "is_adaptive": False}
    ),
    "mlp_10": Entry(
        f"{BASELINES}.adaptive_mlp", "MLPPredictor", {"num_layers": 10, "is_adaptive": False}
    ),
    "mlp_14": Entry(
        f"{BASELINES}.adaptive_mlp", "MLPPredictor", {"num_layers": 14, "is_adaptive": False}
    ),
    "adaptive_mlp_paper": Entry(MLP, "MLPPredictor"),
    "adaptive_mlp": Entry(
        f"{BASELINES}.adaptive_mlp", "MLPPredictor", {"num_layers": 3, "eta": 0.05}
    ),
    "gaussian_process": Entry(f"{BASELINES}.plain_process", "PlainProcessPredictor"),
    "extra_trees": Entry(f"{BASELINES}.trees", "ExtraTreesPredictor"),
    "boosted_trees": Entry(f"{BASELINES}.trees", "BoostedTreesPredictor"),
    "lightgbm": Entry(f"{BASELINES}.lightgbm_trees", "LightGBMPredictor", needs="lightgbm"),
    "river_tree": Entry(
        f"{BASELINES}.river_trees", "RiverPredictor", {"num_trees": 1}, needs="river"
    ),
    "river_forest": Entry(
        f"{BASELINES}.river_trees", "RiverPredictor", {"num_trees": 10}, needs="river"
    ),
}


def available() -> list[str]:
    """Return the names of usable predictors; `pip install nasoa[benchmarks]` enables all."""
    return [
        name
        for name, entry in PREDICTORS.items()
        if not entry.needs or importlib.util.find_spec(entry.needs) is not None
    ]


def predictor_class(name: str) -> type[RowPredictor]:
    """Return the class of a predictor by name.

    Raises:
        UnknownName: there is no such predictor, or the package it needs is not installed.
    """
    if name not in available():
        raise UnknownName("predictor", name, available())
    entry = PREDICTORS[name]
    found: type[RowPredictor] = getattr(
        importlib.import_module(f"{PACKAGE}.{entry.module}"), entry.name
    )
    return found


def make(name: str, layout: Layout, seed: int = 0) -> RowPredictor:
    """Create an untrained predictor by name.

    Raises:
        UnknownName: there is no such predictor, or the package it needs is not installed.
    """
    return predictor_class(name)(layout, seed=seed, **PREDICTORS[name].setting)  # type: ignore[call-arg]
