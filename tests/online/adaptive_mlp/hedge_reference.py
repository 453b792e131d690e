"""A literal, slow implementation of Eq. 3 and 4, with gradients by autograd."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from nasoa.online.adaptive_mlp.adaptive_mlp import BIAS_INPUT


class HedgeReference:
    """Reference implementation, initialised from the state of an `AdaptiveMLP`."""

    def __init__(self, state: Mapping[str, NDArray[Any]], dtype: torch.dtype = torch.float64):
        hidden = [state["first"], *state["deeper"]]
        self.phi = [torch.tensor(w, dtype=dtype, requires_grad=True) for w in hidden]
        self.w = [torch.tensor(w, dtype=dtype, requires_grad=True) for w in state["output"]]
        self.alpha = torch.tensor(state["alpha"], dtype=dtype)
        self.eta = float(state["eta"])
        self.beta = float(state["beta"])

    def outputs(self, x: NDArray[Any]) -> list[torch.Tensor]:
        """Return f_1 .. f_L."""
        constant = torch.tensor([BIAS_INPUT], dtype=self.alpha.dtype)
        h = torch.cat([torch.as_tensor(x, dtype=self.alpha.dtype), constant])
        outputs = []
        for phi, w in zip(self.phi, self.w, strict=True):
            h = torch.cat([torch.relu(phi @ h), constant])
            outputs.append(h @ w)
        return outputs

    def predict(self, x: NDArray[Any]) -> float:
        """Return sum_l alpha_l f_l."""
        with torch.no_grad():
            return float(sum(a * f for a, f in zip(self.alpha, self.outputs(x), strict=True)))

    def learn(self, x: NDArray[Any], y: float) -> None:
        """Apply the updates of Eq. 4."""
        losses = [(f - y) ** 2 for f in self.outputs(x)]
        w_pulls, phi_pulls = self.pulls(losses)
        self.w = [(w - self.eta * p).detach() for w, p in zip(self.w, w_pulls, strict=True)]
        self.phi = [(w - self.eta * p).detach() for w, p in zip(self.phi, phi_pulls, strict=True)]
        for weights in (*self.w, *self.phi):
            weights.requires_grad_()
        clipped = torch.stack(losses).detach().clamp(0.0, 1.0)
        alpha = self.alpha * self.beta**clipped
        self.alpha = alpha / alpha.sum()

    def pulls(self, losses: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the factor of eta for every W and Phi: separate gradients, as in Eq. 4."""
        w_pulls = [
            alpha * torch.autograd.grad(loss, w, retain_graph=True)[0]
            for w, alpha, loss in zip(self.w, self.alpha, losses, strict=True)
        ]
        phi_pulls = []
        for layer, phi in enumerate(self.phi):
            terms = [
                self.alpha[j] * torch.autograd.grad(losses[j], phi, retain_graph=True)[0]
                for j in range(layer, len(losses))
            ]
            phi_pulls.append(torch.stack(terms).sum(0))
        return w_pulls, phi_pulls


class SummedReference(HedgeReference):
    """The same with one gradient of sum_l alpha_l loss_l, which is faster on long streams."""

    def pulls(self, losses: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the factor of eta for every W and Phi."""
        found = torch.autograd.grad((self.alpha * torch.stack(losses)).sum(), [*self.w, *self.phi])
        return list(found[: len(self.w)]), list(found[len(self.w) :])
