"""The offline half: searching networks that train fast, and pretraining them."""

from nasoa.offline.nsga2 import NSGA2

__all__ = ["NSGA2"]
