"""Eq. 3 and 4, one line of the paper at a time, with gradients by autograd; slow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from nasoa.online.predictor import BIAS_INPUT


class HedgeReference:
    """Starts from the state of an `AdaptiveMLP`."""

    def __init__(self, state: Mapping[str, NDArray[Any]], dtype: torch.dtype = torch.float64):
        hidden = [state["first"], *state["deeper"]]
        self.phi = [torch.tensor(w, dtype=dtype, requires_grad=True) for w in hidden]
        self.w = [torch.tensor(w, dtype=dtype, requires_grad=True) for w in state["output"]]
        self.alpha = torch.tensor(state["alpha"], dtype=dtype)
        self.eta = float(state["eta"])
        self.beta = float(state["beta"])

    def outputs(self, x: NDArray[Any]) -> list[torch.Tensor]:
        """f_1 .. f_L."""
        constant = torch.tensor([BIAS_INPUT], dtype=self.alpha.dtype)
        h = torch.cat([torch.as_tensor(x, dtype=self.alpha.dtype), constant])
        outputs = []
        for phi, w in zip(self.phi, self.w, strict=True):
            h = torch.cat([torch.relu(phi @ h), constant])
            outputs.append(h @ w)
        return outputs

    def predict(self, x: NDArray[Any]) -> float:
        """sum_l alpha_l f_l."""
        with torch.no_grad():
            return float(sum(a * f for a, f in zip(self.alpha, self.outputs(x), strict=True)))

    def learn(self, x: NDArray[Any], y: float) -> None:
        """Eq. 4, every gradient on its own."""
        losses = [(f - y) ** 2 for f in self.outputs(x)]
        w_new = [
            w - self.eta * alpha * torch.autograd.grad(loss, w, retain_graph=True)[0]
            for w, alpha, loss in zip(self.w, self.alpha, losses, strict=True)
        ]
        phi_new = []
        for layer, phi in enumerate(self.phi):
            deeper = range(layer, len(losses))
            pull = sum(
                self.alpha[j] * torch.autograd.grad(losses[j], phi, retain_graph=True)[0]
                for j in deeper
            )
            phi_new.append(phi - self.eta * pull)
        clipped = torch.stack(losses).detach().clamp(0.0, 1.0)
        self.w = [w.detach().requires_grad_() for w in w_new]
        self.phi = [phi.detach().requires_grad_() for phi in phi_new]
        alpha = self.alpha * self.beta**clipped
        self.alpha = alpha / alpha.sum()
