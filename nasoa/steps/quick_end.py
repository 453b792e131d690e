"""End the process of a pipeline's step without the interpreter's finalization."""

from __future__ import annotations

import atexit
import os
import sys

EXECUTOR = "kfp.dsl.executor_main"


def end_quickly() -> None:
    """Let this process end at once when its work is done, if it is the process of a KFP step.

    Finalizing an interpreter with torch takes up to a second, which no time limit covers. Exit
    functions still run, and a failure after this call, such as of writing KFP's outputs, still
    gives exit code 1. Call this last, when the step has succeeded: exit functions that are
    registered afterwards run twice.
    """
    main = getattr(sys.modules["__main__"], "__spec__", None)
    if main is not None and main.name == EXECUTOR:
        atexit.register(_end)


def _end() -> None:
    atexit.unregister(_end)  # the others run now
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # The interpreter sets this when it prints the traceback of an error that nothing caught.
    os._exit(1 if hasattr(sys, "last_value") else 0)
