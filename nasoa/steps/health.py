"""Check what works on this machine and with a store."""

from __future__ import annotations

import importlib.util
import platform
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import nasoa
from nasoa.errors import NasoaError
from nasoa.steps import zoo as zoo_steps
from nasoa.store import open_store
from nasoa.work_progress import reported

# By extra: a module that it installs, and what it is for.
EXTRAS = {
    "timm": ("timm", "zoo add timm:NAME"),
    "docker": ("docker", "pipeline run --runner docker"),
    "benchmarks": ("lightgbm", "two more baselines"),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check."""

    subject: str
    ok: bool
    detail: str


def check(store_uri: str) -> list[Finding]:
    """Check the library, device, zoo, packaged predictor, step times, store and extras."""
    checks: list[Callable[[], Finding]] = [
        _versions,
        _device,
        partial(_zoo, store_uri),
        _starter,
        partial(_step_times, store_uri),
        partial(store_works, store_uri),
        _extras,
    ]
    return [examine() for examine in reported(checks, "checks")]


def _versions() -> Finding:
    detail = f"{nasoa.__version__} on Python {platform.python_version()}"
    return Finding(subject="nasoa", ok=True, detail=detail)


def _device() -> Finding:
    import torch  # noqa: PLC0415

    from nasoa.training.hardware import hardware_key, use_threads  # noqa: PLC0415

    use_threads()
    return Finding(subject="device", ok=True, detail=f"{hardware_key()}, torch {torch.__version__}")


def _zoo(store_uri: str) -> Finding:
    try:
        zoo = zoo_steps.load_zoo(open_store(store_uri))
    except NasoaError as error:
        return Finding(subject="zoo", ok=False, detail=str(error))
    buildable = zoo.buildable().entries
    names = ", ".join(
        f"{name} ({entry.source_accuracy:.3f} on {entry.source})"
        for name, entry in sorted(buildable.items())
    )
    detail = f"{len(buildable)} models: {names}"
    missing = sorted(zoo.entries.keys() - buildable.keys())
    if missing:
        detail += f"; not available, as their library is not installed: {', '.join(missing)}"
    return Finding(subject="zoo", ok=bool(buildable), detail=detail)


def _starter() -> Finding:
    """Check the run table and the predictor that come with the package."""
    from nasoa.online.collecting.starter import collected_runs  # noqa: PLC0415
    from nasoa.steps.learning import packaged_predictor  # noqa: PLC0415

    try:
        runs, learned = collected_runs(), packaged_predictor().num_collected
    except NasoaError as error:
        return Finding(subject="starter", ok=False, detail=str(error))
    datasets = len({run.dataset for run in runs})
    detail = f"a predictor that has learned {learned} collected runs of {datasets} data sets"
    return Finding(subject="starter", ok=learned == len(runs), detail=detail)


def _step_times(store_uri: str) -> Finding:
    from nasoa.training.hardware import hardware_key  # noqa: PLC0415

    try:
        rows = zoo_steps.step_times(open_store(store_uri), hardware_key()).rows
    except NasoaError as error:
        return Finding(subject="step times", ok=False, detail=str(error))
    models = ", ".join(sorted({row.model for row in rows.values()}))
    detail = (
        f"{len(rows)} measured here: {models}"
        if rows
        else "none measured here: each task scales the packaged ones by the time its images take"
    )
    return Finding(subject="step times", ok=True, detail=detail)


def _extras() -> Finding:
    """List optional packages; a missing one is not an error."""
    is_there = {
        extra: importlib.util.find_spec(module) is not None
        for extra, (module, _what) in EXTRAS.items()
    }
    there = [extra for extra, found in is_there.items() if found]
    missing = [
        f"{extra} ({EXTRAS[extra][1]}: pip install 'nasoa[{extra}]')"
        for extra, found in is_there.items()
        if not found
    ]
    parts = [f"installed: {', '.join(there)}"] if there else []
    parts += [f"not installed: {', '.join(missing)}"] if missing else []
    return Finding(subject="extras", ok=True, detail="; ".join(parts))


def store_works(store_uri: str) -> Finding:
    """Write a small object, try to write it again, read it back and delete it."""
    key = f"doctor/{secrets.token_hex(8)}"
    try:
        store = open_store(store_uri)
        was_absent = store.put_if_absent(key, b"ok")
        again = store.put_if_absent(key, b"once more")
        content = store.get(key)
        store.delete(key)
    except NasoaError as error:
        return Finding(subject="store", ok=False, detail=str(error))
    if again or not was_absent or content != b"ok":
        detail = f"{store.uri} does not keep the first of two conditional writes; use another store"
        return Finding(subject="store", ok=False, detail=detail)
    return Finding(subject="store", ok=True, detail=f"{store.uri} can be read and written")
