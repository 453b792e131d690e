"""The `nasoa` command: parse arguments, call a step and print its result.

With --json, exactly one JSON document is written to standard output; progress and logs go to
standard error. Exit code 0 means success, 2 input that the user can fix, 1 any other failure.
"""

import os

# How often a waiting thread of OpenMP looks before it sleeps (decision 0014). Set before torch is
# imported, because OpenMP reads it only once.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from nasoa.cli.main import command, main

__all__ = ["command", "main"]
