"""`python -m nasoa` is the `nasoa` command."""

import sys

from nasoa.cli import main

if __name__ == "__main__":
    sys.exit(main())
