"""Run `nasoa finetune` as a user does, and test the saved model on all test images."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

KEPT = ("model", "regime", "predicted_accuracy", "elapsed_s")


@dataclass(frozen=True)
class Finished:
    """One run of the command.

    Args:
        result: what the command printed.
        wall_s: seconds from the start of the process to its end.
        correct: `(n,)` bool, whether the saved model classifies each test image correctly.
    """

    result: dict[str, Any]
    wall_s: float
    correct: Tensor

    def row(self) -> dict[str, Any]:
        """Return the values of a run that a benchmark records."""
        return {
            "accuracy": self.correct.double().mean().item(),
            "accuracy_reported": self.result["accuracy"],
            "wall_s": round(self.wall_s, 2),
            **{name: self.result[name] for name in KEPT},
        }


def finetune(data: str, limit_s: float, seed: int, options: Sequence[str] = ()) -> Finished:
    """Run `nasoa finetune` in a fresh store, then test the saved model.

    Args:
        data: DATA of the command.
        limit_s: its time limit in seconds.
        seed: its seed.
        options: further arguments of the command.

    Raises:
        RuntimeError: the command failed; the message is the command's.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "nasoa", "finetune", data, "--time-limit", f"{limit_s:g}s"),
            *("--seed", str(seed), "--store", f"{folder}/store", "--out", f"{folder}/model"),
            *("--json", *options),
        ]
        started = time.perf_counter()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        wall_s = time.perf_counter() - started
        if done.returncode:
            raise RuntimeError(f"nasoa finetune failed: {done.stderr.strip()}")
        correct = classified_correctly(Path(folder) / "model", data, seed)
    return Finished(json.loads(done.stdout), wall_s, correct)


def classified_correctly(model: Path, data: str, seed: int) -> Tensor:
    """Return `(n,)` bool, whether a saved model classifies each test image of DATA correctly.

    Args:
        model: the folder of the saved model.
        data: the data set that it was fine-tuned on.
        seed: the seed of that fine-tune, which decides the split if DATA has none.
    """
    # Imported here, so that a process that only starts others does not import torch.
    import torch  # noqa: PLC0415

    from nasoa.online.tuning.saved_model import Classifier, from_files  # noqa: PLC0415
    from nasoa.steps.compute_meta_features import read_data  # noqa: PLC0415
    from nasoa.training.hardware import use_threads  # noqa: PLC0415
    from nasoa.training.precision import precision_for  # noqa: PLC0415

    use_threads()
    network, card = from_files(lambda name: (model / name).read_bytes())
    test = read_data(data, seed).test
    classifier = Classifier(network, card, precision_for(network))
    answers = [
        classifier.probabilities(test.images(indices)).argmax(1) == test.labels[indices]
        for indices in torch.arange(len(test)).split(256)
    ]
    return torch.cat(answers)
