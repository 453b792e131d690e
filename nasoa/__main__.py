"""`python -m nasoa` is the `nasoa` command."""

from nasoa.cli import command

if __name__ == "__main__":
    command()
