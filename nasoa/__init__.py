"""Search a zoo of networks offline; choose, fine-tune and learn inside a time limit online."""

__version__ = "0.1.0"
