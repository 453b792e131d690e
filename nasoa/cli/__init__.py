"""The `nasoa` command: parses, calls a step, prints what it returns.

With --json one JSON document goes to standard output and nothing else; progress and logs go to
standard error. Exit code 0 is success, 2 input that the user can mend, 1 any other failure.
"""

from nasoa.cli.main import command, main

__all__ = ["command", "main"]
