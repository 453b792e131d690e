"""The `nasoa` command: parses, calls a step, prints what it returns.

With --json one JSON document goes to standard output and nothing else; progress and logs go to
standard error. Exit code 0 is success, 2 input that the user can mend, 1 any other failure.
"""

import os

# Before torch is imported, as OpenMP reads it once. Threads that wait by spinning take the cores
# from those they wait for wherever another process computes too: there a step of ET-NAS-A took 1.4
# to 10 times as long, and one of EfficientNet-Lite0 1.8 to 6 times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from nasoa.cli.main import command, main

__all__ = ["command", "main"]
