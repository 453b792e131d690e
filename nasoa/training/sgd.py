"""Stochastic gradient descent with Nesterov momentum.

The update is torch's own function. `torch.optim.SGD` is not used because the first optimiser of a
process imports the compiler and sympy, which takes a second of the user's time limit.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim.sgd import sgd

from nasoa.config import TrainingConfig


class NesterovSGD:
    """Updates the parameters of a module.

    Biases and normalisation layers have no weight decay (He et al. 2019, "Bag of Tricks").

    Args:
        module: module with the parameters to update.
        config: momentum and weight decay.
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
        """Update all parameters that have gradients, and remove the gradients."""
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
                # Fused updates take one pass over memory but need momentum for all or none.
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
        """Restore the momentum buffers of a checkpoint, by parameter name."""
        for _, group in self._groups:
            for name, parameter in group.items():
                if name in buffers:
                    self.buffers[name] = buffers[name].to(parameter.device)
