"""Rewrite a module for inference so that it makes fewer passes over its feature maps.

The module is traced with torch.fx. Batch normalisation is folded into the convolution before it;
on CPUs, padding with zeros is left to the convolution after it, and an activation and a residual
addition are fused with the convolution before them.
"""

from __future__ import annotations

import copy
import logging
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nasoa.training.fused_conv import Activation, FusedConv

logger = logging.getLogger(__name__)

MODULE_ACTIVATIONS: dict[type[nn.Module], Activation] = {
    nn.ReLU: Activation("relu"),
    nn.ReLU6: Activation("hardtanh", (0.0, 6.0)),
    nn.Hardswish: Activation("hardswish"),
    nn.Hardsigmoid: Activation("hardsigmoid"),
    nn.SiLU: Activation("swish"),
    nn.Sigmoid: Activation("sigmoid"),
}
FUNCTION_ACTIVATIONS: dict[Callable[..., Tensor], Activation] = {
    torch.relu: Activation("relu"),
    functional.relu: Activation("relu"),
    functional.relu6: Activation("hardtanh", (0.0, 6.0)),
    functional.hardswish: Activation("hardswish"),
    functional.silu: Activation("swish"),
    torch.sigmoid: Activation("sigmoid"),
}

# Default arguments of a functional convolution after its weight.
DEFAULTS: list[Any] = [None, 1, 0, 1, 1]


def fuse(module: nn.Module, *, activations: bool) -> nn.Module:
    """Return a module with the same outputs in evaluation mode that needs fewer passes over memory.

    Args:
        module: a module in evaluation mode; its submodules are reused and replaced, so pass a copy.
        activations: whether to fuse padding, activations and additions with convolutions, too,
            which requires a CPU and oneDNN.

    Returns:
        The rewritten module, or `module` itself if it cannot be traced.
    """
    try:
        traced = fx.symbolic_trace(module)
    except Exception as error:  # the model's own code may raise anything on a traced value
        logger.info("the frozen prefix is not fused because it cannot be traced: %s", error)
        return module
    rewriting = _Rewriting(traced.eval())
    rewriting.convolution_calls()
    if activations:
        rewriting.paddings()
    rewriting.batch_norms()
    if activations:
        rewriting.convolutions()
    traced.graph.lint()
    traced.recompile()
    traced.delete_all_unused_submodules()
    return traced


class _Rewriting:
    """Rewrites a graph module in place."""

    def __init__(self, traced: fx.GraphModule) -> None:
        self._traced = traced
        self._graph = traced.graph
        for node in list(self._graph.nodes):
            if isinstance(self._module(node), nn.Dropout | nn.Identity):
                self._skip(node, node.args[0])

    def convolution_calls(self) -> None:
        """Turn functional convolutions with the module's own weights into `nn.Conv2d` modules."""
        for index, node in enumerate(list(self._graph.nodes)):
            conv = self._called_convolution(node)
            if conv is None:
                continue
            name = f"convolution_call_{index}"
            self._traced.add_submodule(name, conv)
            with self._graph.inserting_before(node):
                module_call = self._graph.call_module(name, (node.args[0],))
            self._skip(node, module_call)
        self._graph.eliminate_dead_code()

    def paddings(self) -> None:
        """Let each convolution pad by itself, if zeros are padded just for it."""
        for node in list(self._graph.nodes):
            conv = self._plain_convolution(node)
            before = node.args[0] if conv is not None else None
            padding = self._module(before)
            if conv is None or not isinstance(padding, nn.ConstantPad2d) or padding.value != 0:
                continue
            assert isinstance(before, fx.Node)
            padded = _with_padding(conv, padding)
            if padded is not None and len(before.users) == 1:
                self._traced.set_submodule(str(node.target), padded)
                self._skip(before, before.all_input_nodes[0])

    def batch_norms(self) -> None:
        """Fold each batch normalisation into the convolution before it, if it is the only user."""
        for node in list(self._graph.nodes):
            norm = self._module(node)
            if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None:
                continue
            before = node.all_input_nodes[0]
            conv = self._plain_convolution(before)
            if conv is not None and len(before.users) == 1:
                self._traced.set_submodule(str(before.target), fuse_conv_bn_eval(conv, norm))
                self._skip(node, before)

    def convolutions(self) -> None:
        """Fuse each convolution with the addition and the activation that follow it."""
        for node in list(self._graph.nodes):
            conv = self._plain_convolution(node)
            if conv is None or isinstance(conv.padding, str) or conv.padding_mode != "zeros":
                continue
            stride, padding, dilation = map(_pair, (conv.stride, conv.padding, conv.dilation))
            fused = FusedConv(conv.weight, conv.bias, stride, padding, dilation, conv.groups)
            self._traced.set_submodule(str(node.target), fused)
            other = self._added(node)
            if other is not None:
                (addition,) = node.users
                self._skip(addition, node)
                node.args = (node.args[0], other)
            user = self._only_user(node)
            activation = self._activation(user)
            # After an addition, oneDNN supports no activation but ReLU.
            if user and activation and (other is None or activation.name == "relu"):
                fused.activation = activation
                self._skip(user, node)

    def _added(self, node: fx.Node) -> fx.Node | None:
        """Return the other summand if the output is used only in an addition to an earlier node."""
        user = self._only_user(node)
        additions = (operator.add, torch.add, operator.iadd)
        if user is None or user.target not in additions or len(user.args) != 2 or user.kwargs:
            return None
        # An in-place addition to the other value would have to change that value.
        if user.target is operator.iadd and user.args[0] is not node:
            return None
        other = user.args[1] if user.args[0] is node else user.args[0]
        return other if isinstance(other, fx.Node) and other < node else None

    def _activation(self, node: fx.Node | None) -> Activation | None:
        if node is None:
            return None
        if callable(node.target):
            return FUNCTION_ACTIVATIONS.get(node.target)
        module = self._module(node)
        return None if module is None else MODULE_ACTIVATIONS.get(type(module))

    def _called_convolution(self, node: fx.Node) -> nn.Conv2d | None:
        """Return the `nn.Conv2d` for a functional call with constant arguments, or None."""
        if node.target not in (functional.conv2d, torch.conv2d) or node.kwargs:
            return None
        given: list[Any] = [*node.args]
        _, weight, bias, stride, padding, dilation, groups = given + DEFAULTS[len(given) - 2 :]
        values = (self._value(weight), self._value(bias))
        if values[0] is None or (bias is not None and values[1] is None):
            return None
        out_channels, in_channels, height, width = values[0].shape
        conv = nn.Conv2d(
            in_channels * groups,
            out_channels,
            (height, width),
            stride,
            padding,
            dilation,
            groups,
            bias=False,
            device="meta",
        )
        conv.weight = nn.Parameter(values[0].detach(), requires_grad=False)
        if values[1] is not None:
            conv.bias = nn.Parameter(values[1].detach(), requires_grad=False)
        return conv.eval()

    def _value(self, argument: Any) -> Tensor | None:
        """Return the module's own tensor that a node stands for, or None."""
        if not isinstance(argument, fx.Node) or argument.op != "get_attr":
            return None
        owner, _, name = str(argument.target).rpartition(".")
        value: Tensor = getattr(self._traced.get_submodule(owner), name)
        return value

    def _module(self, node: Any) -> nn.Module | None:
        if not isinstance(node, fx.Node) or node.op != "call_module":
            return None
        return self._traced.get_submodule(str(node.target))

    def _plain_convolution(self, node: fx.Node) -> nn.Conv2d | None:
        """Return the node's convolution if only this node calls it, so that it can be changed."""
        module = self._module(node)
        if type(module) is not nn.Conv2d:
            return None
        calls = self._graph.find_nodes(op="call_module", target=node.target)
        return module if len(calls) == 1 else None

    def _only_user(self, node: fx.Node) -> fx.Node | None:
        users = list(node.users)
        return users[0] if len(users) == 1 else None

    def _skip(self, node: fx.Node, source: fx.Node) -> None:
        """Replace `node` by `source` and remove it."""
        node.replace_all_uses_with(source)
        self._graph.erase_node(node)


def _with_padding(conv: nn.Conv2d, padding: nn.ConstantPad2d) -> nn.Conv2d | None:
    """Return a convolution that pads by itself, too; None if it cannot.

    Convolutions pad both sides equally. One more row of zeros after the image than before it, as
    TensorFlow pads for a stride of 2, is the same as equal padding and a kernel with a first row of
    zeros, which costs less than a copy of the feature maps.
    """
    if isinstance(conv.padding, str) or conv.padding_mode != "zeros":
        return None
    left, right, top, bottom = padding.padding
    sides = ((top, bottom), (left, right))
    if min(padding.padding) < 0 or any(
        after - before not in (0, step)
        for (before, after), step in zip(sides, conv.dilation, strict=True)
    ):
        return None
    rows, columns = (int(after > before) for before, after in sides)
    found = copy.copy(conv)
    found._parameters = dict(conv._parameters)
    weight = functional.pad(conv.weight.detach(), (columns, 0, rows, 0))
    found.weight = nn.Parameter(weight, requires_grad=False)
    found.kernel_size = (int(weight.shape[2]), int(weight.shape[3]))
    found.padding = (conv.padding[0] + bottom, conv.padding[1] + right)
    return found


def _pair(values: tuple[int, ...] | str) -> tuple[int, int]:
    height, width = map(int, values)
    return height, width
