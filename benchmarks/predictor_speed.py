"""Time predictors: `AdaptiveMLP` compared with two torch loops, and the default predictor.

`torch_loop` is the fastest plain form: the losses weighted by alpha, one `backward()`, a step of
gradient descent. `torch_per_depth` follows Eq. 4 as printed, with a `backward()` for every depth.
Both compute the same update as ours, which is checked after the timing. Blocks of steps of the
three alternate in one run, so that other load on the machine affects all of them.

The default predictor is measured in the same run (`benchmarks.default_predictor_speed`).

    python -m benchmarks.predictor_speed [--repeats 15] [--steps 200] [--rows 10000] [-o FILE]
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.default_predictor_speed import measure_default
from benchmarks.machine import RESULTS, machine, summary, write
from nasoa.online.adaptive_mlp.adaptive_mlp import BIAS_INPUT, AdaptiveMLP
from nasoa.online.predictor.regime_encoding import FEATURE_NAMES

RESULT = RESULTS / "predictor_speed.json"
SEED = 0


class TorchLoop:
    """Eq. 3 and 4 by autograd, from the initial weights of an `AdaptiveMLP`."""

    def __init__(self, model: AdaptiveMLP, *, per_depth: bool) -> None:
        state = model.state()
        self.per_depth = per_depth
        hidden = [state["first"], *state["deeper"]]
        self.phi = nn.ParameterList([torch.tensor(weights) for weights in hidden])
        self.w = nn.ParameterList([torch.tensor(weights) for weights in state["output"]])
        self.alpha = torch.tensor(state["alpha"])
        self.beta = model.beta
        self.constant = torch.tensor([BIAS_INPUT], dtype=torch.float64)
        self.optimizer = torch.optim.SGD([*self.phi, *self.w], lr=model.eta)

    def outputs(self, x: Tensor) -> Tensor:
        """Return the `(L,)` outputs of the depths."""
        hidden = torch.cat([x, self.constant])
        outputs = []
        for phi, w in zip(self.phi, self.w, strict=True):
            hidden = torch.cat([torch.relu(phi @ hidden), self.constant])
            outputs.append(hidden @ w)
        return torch.stack(outputs)

    def learn(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Learn observations in order."""
        for row, target in zip(torch.from_numpy(x), torch.from_numpy(y), strict=True):
            losses = (self.outputs(row) - target) ** 2
            self.optimizer.zero_grad()
            if self.per_depth:
                for loss in self.alpha * losses:
                    loss.backward(retain_graph=True)
            else:
                (self.alpha * losses).sum().backward()
            self.optimizer.step()
            self.alpha = self.alpha * self.beta ** losses.detach().clamp(max=1.0)
            self.alpha = self.alpha / self.alpha.sum()

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `(n,)` predictions."""
        with torch.no_grad():
            rows = [float(self.alpha @ self.outputs(row)) for row in torch.from_numpy(x)]
        return np.array(rows)


def measure(repeats: int, steps: int) -> dict[str, object]:
    """Measure CPU milliseconds per observation, the median over alternating blocks."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(SEED)
    num_features = len(FEATURE_NAMES)
    ours = AdaptiveMLP.paper(num_features, seed=SEED)
    models: dict[str, AdaptiveMLP | TorchLoop] = {
        "adaptive_mlp": ours,
        "torch_loop": TorchLoop(ours, per_depth=False),
        "torch_per_depth": TorchLoop(ours, per_depth=True),
    }
    times: dict[str, list[float]] = {name: [] for name in models}
    for repeat in range(repeats + 1):
        x = np.clip(rng.normal(size=(steps, num_features)), -3.0, 3.0)
        y = 1.0 / (1.0 + np.exp(-x[:, 0] + 0.5 * x[:, 1] * x[:, 2]))
        for name, model in models.items():
            started = time.process_time()
            model.learn(x, y)
            if repeat > 0:  # the first block is a warm-up
                times[name].append(1000 * (time.process_time() - started) / steps)
    probe = rng.normal(size=(50, num_features))
    predictions = np.stack([model.predict(probe) for model in models.values()])
    difference = float(np.abs(predictions - predictions[0]).max())
    if difference > 1e-6:
        raise SystemExit(f"expected all to learn the same, but they differ by {difference}")
    return {
        "unit": "milliseconds of processor time per observation, one thread, float64",
        "setting": "AdaptiveMLP.paper",
        "num_features": num_features,
        **{name: summary(values) for name, values in times.items()},
        **{f"{name}_ratio": ratio(times, name) for name in models if name != "adaptive_mlp"},
        "largest_difference_of_predictions": difference,
    }


def ratio(times: dict[str, list[float]], name: str) -> dict[str, float]:
    """Return how many times as long one takes as ours, block by block."""
    pairs = zip(times[name], times["adaptive_mlp"], strict=True)
    return summary([theirs / ours for theirs, ours in pairs])


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rows", type=int, default=10000, help="that the default learns")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    result = {
        "command": f"python -m benchmarks.predictor_speed --repeats {arguments.repeats} "
        f"--steps {arguments.steps} --rows {arguments.rows}",
        "machine": {
            "load_average": os.getloadavg()[0],
            "torch_threads": torch.get_num_threads(),
            **machine(["numpy", "scipy", "scikit-learn", "torch"]),
        },
        "seed": SEED,
        "repeats": arguments.repeats,
        "steps": arguments.steps,
        **measure(arguments.repeats, arguments.steps),
        "default_predictor": measure_default(arguments.rows, SEED),
    }
    write(result, arguments.output)


if __name__ == "__main__":
    main()
