"""The `nasoa` command: parse arguments, call a step and print its result.

With --json, exactly one JSON document is written to standard output; progress and logs go to
standard error. Exit code 0 means success, 2 input that the user can fix, 1 any other failure.
"""

import os

# Set before torch is imported, because OpenMP reads it only once. If another process computes too,
# threads that wait by spinning take the cores from those that they wait for: a step of ET-NAS-A
# took 1.4 to 10 times as long, one of EfficientNet-Lite0 1.8 to 6 times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from nasoa.cli.main import command, main

__all__ = ["command", "main"]
