"""Stochastic gradient descent with Nesterov momentum.

The update is torch's own. Its `torch.optim.SGD` is not used: the first optimiser that a process
makes imports the compiler and sympy, which takes a second of the user's time limit.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim.sgd import sgd

from nasoa.config import TrainingConfig


class NesterovSGD:
    """Updates the parameters of a module.

    There is no weight decay on biases and normalisation (He et al. 2019, "Bag of Tricks").

    Args:
        module: whose parameters are updated.
        config: gives momentum and weight decay.
    """

    def __init__(self, module: nn.Module, config: TrainingConfig) -> None:
        self._momentum = config.momentum
        named = dict(module.named_parameters())
        self._groups = [
            (config.weight_decay, {n: p for n, p in named.items() if p.ndim > 1}),
            (0.0, {n: p for n, p in named.items() if p.ndim <= 1}),
        ]
        self.buffers: dict[str, Tensor] = {}

    def step(self, lr: float) -> None:
        """One update with the gradients there are; then they are dropped."""
        for weight_decay, group in self._groups:
            names = [name for name, p in group.items() if p.grad is not None]
            parameters = [group[name] for name in names]
            gradients = [p.grad for p in parameters if p.grad is not None]
            buffers: list[Tensor | None] = [self.buffers.get(name) for name in names]
            if not names:
                continue
            is_mixed = len({buffer is None for buffer in buffers}) > 1
            sgd(
                [p.data for p in parameters],
                gradients,
                buffers,
                # One pass over memory; all or none of the parameters must have momentum.
                fused=not is_mixed,
                foreach=is_mixed,
                weight_decay=weight_decay,
                momentum=self._momentum,
                lr=lr,
                dampening=0.0,
                nesterov=True,
                maximize=False,
            )
            self.buffers.update(
                (n, b) for n, b in zip(names, buffers, strict=True) if b is not None
            )
            for p in parameters:
                p.grad = None

    def restore(self, buffers: dict[str, Tensor]) -> None:
        """Put the momentum of a checkpoint back."""
        for _, group in self._groups:
            for name, parameter in group.items():
                if name in buffers:
                    self.buffers[name] = buffers[name].to(parameter.device)
