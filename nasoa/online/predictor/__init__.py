"""Prediction of a regime's accuracy: the default formula, and what experience adds to it.

The paper's predictor can be imported by its name: `from nasoa.online.predictor import AdaptiveMLP`.
"""

from nasoa.online.adaptive_mlp.adaptive_mlp import AdaptiveMLP

__all__ = ["AdaptiveMLP"]
