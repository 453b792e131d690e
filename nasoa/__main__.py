"""Run the `nasoa` command with `python -m nasoa`."""

from nasoa.cli import command

if __name__ == "__main__":
    command()
