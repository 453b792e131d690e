"""How good will a regime be? The default formula, and what experience adds to it.

The paper's predictor is there under its name: `from nasoa.online.predictor import AdaptiveMLP`.
"""

from nasoa.online.adaptive_mlp.adaptive_mlp import AdaptiveMLP

__all__ = ["AdaptiveMLP"]
