"""Architecture encodings, the networks they describe, and the cost of a network."""

from nasoa.arch.cost import Cost, measure_cost, measure_parts
from nasoa.arch.encoding import parse, parse_block
from nasoa.arch.network import StagedNetwork, build_network
from nasoa.arch.spec import ArchSpec, BlockSpec, Operator, Skip

__all__ = [
    "ArchSpec",
    "BlockSpec",
    "Cost",
    "Operator",
    "Skip",
    "StagedNetwork",
    "build_network",
    "measure_cost",
    "measure_parts",
    "parse",
    "parse_block",
]
