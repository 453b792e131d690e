"""Run a pipeline on this machine through `kfp.local`, without its console output."""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kfp import local

from nasoa import errors
from nasoa.errors import InvalidInput, NasoaError, TrainingFailed
from nasoa.pipelines import catalogue, containers
from nasoa.pipelines.options import CompileOptions
from nasoa.pipelines.parameters import typed
from nasoa.scratch import ScratchFolder

# What else may help where a component ended without a word.
HINTS = {"docker": f"; if it was out of memory, give it more in {containers.MEMORY_VARIABLE}"}


# How KFP says that a component begins, with or without colours.
BEGINS = re.compile(r"Executing task (?:\x1b\[\d+m)*'([^']+)'")


def run(
    name: str,
    parameters: Mapping[str, str],
    *,
    verbose: bool,
    runner: str = "process",
    begins: Callable[[str], None] = lambda _component: None,
) -> Any:
    """Run a pipeline, each component in a separate process or container, and return its result.

    A result in JSON is returned parsed.

    Args:
        name: name of the pipeline.
        parameters: values by name, as text.
        verbose: write KFP's log to standard error.
        runner: "process" or "docker".
        begins: called with the name of each component when it begins.

    Raises:
        InvalidInput: a parameter is unknown, missing, or not of its type; a component refuses its
            input; or containers cannot be run.
        TrainingFailed: a component failed for another reason.
    """
    # Without retries: the user is waiting, and a second attempt would fail in the same way.
    pipeline = catalogue.find(name, CompileOptions(retried=False))
    arguments = typed(pipeline, parameters)
    with (
        ScratchFolder() as scratch,
        _contained(verbose, begins) as log,
        contextlib.ExitStack() as stack,
    ):
        outputs = scratch / "outputs"
        if runner == "docker":
            arguments = containers.reachable(arguments)
            place = stack.enter_context(containers.container_runner(arguments, outputs))
        else:
            place = local.SubprocessRunner(use_venv=False)
        local.init(runner=place, pipeline_root=str(outputs))
        try:
            task = pipeline(**arguments)
        except Exception as error:  # KFP raises different ones when a component fails
            raise _explained(log.getvalue(), error, HINTS.get(runner, "")) from None
        return json.loads(task.output) if isinstance(task.output, str) else task.output


class _Log(io.StringIO):
    """Keep what is written, and pass it on to standard error if verbose."""

    def __init__(self, verbose: bool, begins: Callable[[str], None]) -> None:
        super().__init__()
        self._verbose = verbose
        self._begins = begins

    def write(self, text: str) -> int:
        if self._verbose:
            sys.stderr.write(text)
        for component in BEGINS.findall(text):
            self._begins(component)
        return super().write(text)


@contextlib.contextmanager
def _contained(verbose: bool, begins: Callable[[str], None]) -> Iterator[_Log]:
    """Capture what KFP prints and logs, and undo its patches of `print` and the root logger."""
    log = _Log(verbose, begins)
    root = logging.getLogger()
    level, handlers, original_print = root.level, root.handlers[:], builtins.print
    try:
        with contextlib.redirect_stdout(log), warnings.catch_warnings():
            # KFP warns that images, display names and the like have no effect here.
            warnings.simplefilter("ignore")
            yield log
    finally:
        builtins.print = original_print
        root.setLevel(level)
        root.handlers[:] = handlers


def _explained(log: str, error: Exception, hint: str) -> NasoaError:
    """Return the component's error in one line; an InvalidInput stays an InvalidInput.

    `hint` says what else may help if the component printed nothing.
    """
    said = re.findall(r"^\s*nasoa\.errors\.(\w+): (.+)$", log, re.MULTILINE)
    if not said:
        last = [
            line.strip() for line in log.splitlines() if re.match(r"\s*\w*(Error|Exception)", line)
        ]
        reason = last[-1] if last else str(error).strip().splitlines()[0]
        return TrainingFailed(
            f"the pipeline failed: {reason}; see the full log with --verbose{hint}"
        )
    name, message = said[-1]
    kind = getattr(errors, name, NasoaError)
    return InvalidInput(message) if issubclass(kind, InvalidInput) else TrainingFailed(message)
