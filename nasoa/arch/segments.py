"""The graph of a classifier as a chain of segments, with one tensor from each to the next.

The graph is traced with whole submodules as its nodes (torch.fx; Reed et al. 2022). A submodule is
opened, so that its own submodules become nodes, only where a finer view is needed: the inside of a
block cannot be cut, and what differs between training and evaluation must stay a module.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from nasoa.errors import BackboneError


@dataclass(frozen=True)
class Segment:
    """The nodes between two neighbouring cuts; only the tensor of the last node is passed on.

    `side` is that of the output feature maps in pixels, or None for tokens and vectors. `modules`
    are the names of the segment's submodules, and `num_weights` counts the elements of their
    parameters of two or more dimensions.
    """

    nodes: tuple[fx.Node, ...]
    shape: tuple[int, ...]
    side: int | None
    modules: tuple[str, ...]
    num_weights: int


@dataclass(frozen=True)
class Chain:
    """A traced classifier: its input, the segments before its last linear layer, and that layer."""

    images: fx.Node
    segments: tuple[Segment, ...]
    linear: str


class Tracing:
    """Trace of a classifier at one resolution; `open` makes it finer.

    Args:
        model: images -> logits, ending in a linear layer; it is not changed.
        resolution: side of the traced image in pixels.

    Raises:
        BackboneError: the model cannot be traced, or does not end in a linear layer.
    """

    def __init__(self, model: nn.Module, resolution: int) -> None:
        # Not on the meta device: its first batch normalisation imports torch's compiler, which
        # takes seconds, while one image takes a fraction of a second.
        self._shadow = copy.deepcopy(model).cpu().eval()
        self.resolution = resolution
        self._opened: frozenset[str] = frozenset()
        self._graph = self._trace()
        while self.can_open(last := self._last_module()):
            self.open({last})
        if not isinstance(self._shadow.get_submodule(last), nn.Linear):
            raise BackboneError(
                "expected a classifier whose last layer is linear, but the last layer is "
                f"{last!r}, a {type(self._shadow.get_submodule(last)).__name__}"
            )
        self._linear = last

    def open(self, names: set[str]) -> None:
        """Replace these submodules by their own submodules as nodes."""
        self._opened |= names
        self._graph = self._trace()

    def can_open(self, name: str) -> bool:
        """Return whether a submodule consists of others and is not one of torch's own layers."""
        module = self._shadow.get_submodule(name)
        is_layer = type(module).__module__.startswith("torch.nn")
        made_of_others = next(module.children(), None) is not None
        return made_of_others and (isinstance(module, nn.Sequential) or not is_layer)

    def num_weights(self, name: str) -> int:
        """Return the number of elements in a submodule's parameters of two or more dimensions."""
        parameters = self._shadow.get_submodule(name).parameters()
        return sum(p.numel() for p in parameters if p.dim() > 1)

    def chain(self) -> Chain:
        """Return the segments of the current graph."""
        shapes = self._shapes()
        nodes = [node for node in self._graph.nodes if node.op not in ("get_attr", "output")]
        position = {node: i for i, node in enumerate(nodes)}
        end = next(i for i, node in enumerate(nodes) if node.target == self._linear)
        segments: list[Segment] = []
        begin, needed_until = 1, 0
        for i, node in enumerate(nodes[:end]):
            last_use = max((position.get(user, len(nodes)) for user in node.users), default=i)
            # A cut is valid only if nothing computed before it is needed after it.
            if i >= max(begin, needed_until) and node in shapes:
                segments.append(self._segment(tuple(nodes[begin : i + 1]), shapes[node]))
                begin = i + 1
            needed_until = max(needed_until, last_use)
        if not segments or segments[-1].nodes[-1] is not nodes[end - 1]:
            raise BackboneError(
                f"expected one tensor to enter the last layer {self._linear!r}, "
                "but it needs more than one"
            )
        return Chain(nodes[0], tuple(segments), self._linear)

    def _last_module(self) -> str:
        """Return the name of the submodule that gives the logits, ignoring pure reshapes."""
        (output,) = self._graph.find_nodes(op="output")
        node = output.args[0]
        while isinstance(node, fx.Node) and node.op != "placeholder":
            name = str(node.target)
            reshapes = node.op != "call_module" or isinstance(
                self._shadow.get_submodule(name), nn.Identity | nn.Flatten
            )
            if not reshapes:
                return name
            node = node.args[0] if node.args else None
        raise BackboneError("expected a classifier that ends in a linear layer, but it has none")

    def _segment(self, nodes: tuple[fx.Node, ...], shape: tuple[int, ...]) -> Segment:
        modules = tuple(str(node.target) for node in nodes if node.op == "call_module")
        return Segment(
            nodes=nodes,
            shape=shape,
            side=_side(shape),
            modules=modules,
            num_weights=sum(map(self.num_weights, modules)),
        )

    def _trace(self) -> fx.Graph:
        try:
            graph = _Tracer(self._opened).trace(self._shadow)
        except Exception as error:  # any error of the model's own code
            raise BackboneError(
                f"expected a model whose forward pass can be traced, but it cannot ({error})"
            ) from None
        for extra in graph.find_nodes(op="placeholder")[1:]:
            _set_to_default(graph, extra)
        return graph

    def _shapes(self) -> dict[fx.Node, tuple[int, ...]]:
        side = self.resolution
        interpreter = _Shapes(fx.GraphModule(self._shadow, self._graph))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # synchronising threads would take longer than one image
        try:
            with torch.inference_mode():
                interpreter.run(torch.zeros(1, 3, side, side))
        except Exception as error:  # models refuse a size with different errors
            raise BackboneError(f"the model does not accept {side} px images ({error})") from None
        finally:
            torch.set_num_threads(threads)
        return interpreter.shapes


class _Tracer(fx.Tracer):
    """Tracer that keeps submodules as nodes, except for those that are opened."""

    def __init__(self, opened: frozenset[str]) -> None:
        super().__init__()
        self._opened = opened

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name not in self._opened


class _Shapes(fx.Interpreter):
    """Interpreter that records the shape of every tensor."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.shapes[n] = tuple(value.shape)
        return value


def _set_to_default(graph: fx.Graph, argument: fx.Node) -> None:
    """Replace an optional argument of the forward pass, like an attention mask, by its default."""
    if not argument.args:
        raise BackboneError(
            f"expected a model that takes only images, but it also takes {argument.name!r}"
        )
    default = argument.args[0]

    def replaced(node: fx.Node) -> Any:
        return default if node is argument else node

    for user in list(argument.users):
        user.args = fx.node.map_arg(user.args, replaced)
        user.kwargs = fx.node.map_arg(user.kwargs, replaced)
    graph.erase_node(argument)


def _side(shape: tuple[int, ...]) -> int | None:
    """Return the side of `(b, c, s, s)` or `(b, s, s, c)` maps; None for other shapes."""
    if len(shape) == 4 and shape[2] == shape[3]:
        return shape[2]
    if len(shape) == 4 and shape[1] == shape[2]:
        return shape[1]
    return None
