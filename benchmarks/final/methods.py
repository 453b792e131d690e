"""The methods that train once, and the groups of models that methods choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.final.defaults import default_regime
from benchmarks.final.space import SearchSpace
from benchmarks.final.subject import Outcome, Subject
from benchmarks.starter import best_on_average
from nasoa.errors import TimeLimitError
from nasoa.records import ZooEntry
from nasoa.steps.methods import DEFAULT, PAPER, Method
from nasoa.zoo.series import TORCHVISION_SERIES

ONE_SHOT = ("nasoa", "paper", "zoo", "average", "series", "default")
OWN_SERIES = "ET-NAS"
PEERS = "peers"

Run = Callable[[Subject, float], Outcome]


@dataclass(frozen=True, kw_only=True)
class OneShot:
    """A method that trains one network.

    Args:
        name: its name in runs and tables.
        models: the models that it may choose.
        predicts: whether it depends on the predictor.
        run: runs it on a data set, with a limit in seconds.
    """

    name: str
    models: tuple[str, ...]
    predicts: bool
    run: Run


def series_of(zoo: Mapping[str, ZooEntry]) -> dict[str, tuple[str, ...]]:
    """Return the models of a zoo by series.

    torchvision's series are those of `nasoa.zoo.series`; for other models the family counts.
    """
    known = {model: name for name, models in TORCHVISION_SERIES.items() for model in models}
    found: dict[str, tuple[str, ...]] = {}
    for model, entry in zoo.items():
        name = known.get(model, entry.family)
        found[name] = (*found.get(name, ()), model)
    return found


def one_shot(kinds: Sequence[str], zoo: Mapping[str, ZooEntry]) -> list[OneShot]:
    """Return the methods of these kinds over the models of a zoo."""
    models = tuple(zoo)
    found = []
    for kind, method in (("nasoa", DEFAULT), ("paper", PAPER)):
        if kind in kinds:
            found.append(_choice(kind, models, method))
    for kind, run in (("zoo", _zoo_only), ("average", _best_on_average)):
        if kind in kinds:
            run_one = partial(run, models=models)
            found.append(OneShot(name=kind, models=models, predicts=True, run=run_one))
    if "series" in kinds:
        series = series_of(zoo)
        for name, some in {**series, PEERS: peers(zoo)}.items():
            if some and (name != PEERS or len(series) > 2):
                found.append(_choice(f"series:{name}", some, DEFAULT))
    if "default" in kinds:
        for model in models:
            run_one = partial(_default, model=model)
            name = f"default:{model}"
            found.append(OneShot(name=name, models=(model,), predicts=False, run=run_one))
    return found


def peers(zoo: Mapping[str, ZooEntry]) -> tuple[str, ...]:
    """Return the models that are not of ET-NAS."""
    series = series_of(zoo)
    return tuple(model for name, some in series.items() if name != OWN_SERIES for model in some)


def _choice(name: str, models: tuple[str, ...], method: Method) -> OneShot:
    def run(subject: Subject, limit_s: float) -> Outcome:
        return subject.choose(limit_s, method, models)

    return OneShot(name=name, models=models, predicts=True, run=run)


def _zoo_only(subject: Subject, limit_s: float, models: Sequence[str]) -> Outcome:
    """Fine-tune the model that nasoa chooses with default hyperparameters.

    Describing the task and probing models take their part of the limit, as in nasoa.
    """
    model, used_s = subject.choose_model(limit_s, models)
    return subject.train(default_regime(subject, model, limit_s, used_s), limit_s, used_s)


def _best_on_average(subject: Subject, limit_s: float, models: Sequence[str]) -> Outcome:
    """Fine-tune with the configuration that is best on average over known data sets.

    Raises:
        TimeLimitError: it does not fit the limit on this data.
    """
    configuration, _accuracy = best_on_average(limit_s, tuple(models))
    space = SearchSpace(subject, models, limit_s)
    if configuration not in space:
        raise TimeLimitError(
            f"expected a limit that the configuration best on average fits, got {limit_s:.1f} s "
            f"and {configuration}; raise --limits"
        )
    return subject.train(space.regime(configuration), limit_s)


def _default(subject: Subject, limit_s: float, model: str) -> Outcome:
    return subject.train(default_regime(subject, model, limit_s), limit_s)
