"""The `nasoa` command: parse arguments, call a step and print its result.

With --json, exactly one JSON document is written to standard output; progress and logs go to
standard error. Exit code 0 means success, 2 input that the user can fix, 1 any other failure.
"""

from nasoa.cli.main import command, main
from nasoa.cores import sleep_soon

__all__ = ["command", "main"]

sleep_soon()
