"""One of the processes that pretrain a tiny network; started by torchrun.

Its argument is a folder in which process 0 stores its checkpoint and its result.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.config import PretrainConfig
from nasoa.data import ImageDataset, load_dataset
from nasoa.offline.pretrain import Compute, Journal, Pretrained, pretrain
from nasoa.training.checkpoint import RunState, from_bytes, to_bytes
from nasoa.training.precision import Precision
from nasoa.training.processes import ALONE, Processes, process_group
from nasoa.training.run import Progress

PLAIN = Precision(torch.device("cpu"), None, channels_last=False)
CONFIG = PretrainConfig(
    epochs=4,
    batch_size=32,
    lr=0.01,
    resolution=32,
    weight_decay=5e-4,
    min_scale=0.5,
    average_decay=0.9,
    checkpoint_every_s=0.0,
)
DIES_AT = 6


def source() -> ImageDataset:
    return load_dataset("sklearn:digits:classes=0,1,2:per_class=40", seed=0, resolution=32)


def fresh() -> StagedNetwork:
    torch.manual_seed(0)
    return build_network(parse("020- 8 1-2-1-2"), num_classes=3)


def train(
    network: StagedNetwork,
    save: Callable[[RunState], None],
    *,
    state: RunState | None = None,
    limit_s: float = 1e6,
    epochs: int = CONFIG.epochs,
    progress: Callable[[Progress], None] = lambda _: None,
    processes: Processes = ALONE,
) -> Pretrained:
    return pretrain(
        network,
        source(),
        dataclasses.replace(CONFIG, epochs=epochs),
        compute=Compute(PLAIN, processes),
        limit_s=limit_s,
        journal=Journal(save=save, progress=progress, state=state),
    )


def _dying(progress: Progress) -> None:
    """End the process on the first attempt as if its machine had failed."""
    if progress.iteration == DIES_AT and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        os.kill(os.getpid(), signal.SIGKILL)


def _run(folder: Path, processes: Processes) -> None:
    checkpoint = folder / "state"

    def save(state: RunState) -> None:
        (folder / "partial").write_bytes(to_bytes(state))
        (folder / "partial").replace(checkpoint)

    def read() -> RunState | None:
        exists = checkpoint.exists()
        return from_bytes(checkpoint.read_bytes(), "state") if exists else None

    state = processes.from_first(read)
    resumed_at = state.iteration if state else 0
    network = fresh()
    result = train(network, save, state=state, progress=_dying, processes=processes)
    # Endless except for the limit, which process 1 has exceeded before it begins.
    limit_s = 0.0 if processes.rank else 1.0
    limited = train(fresh(), lambda _: None, limit_s=limit_s, epochs=10**6, processes=processes)
    ends = processes.gathered(limited.curve[-1].iteration)
    if processes.is_first:
        torch.save(network.state_dict(), folder / "weights")
        document = {**dataclasses.asdict(result), "resumed_at": resumed_at, "ends": ends}
        (folder / "result.json").write_text(json.dumps(document))


if __name__ == "__main__":
    with process_group() as joined_processes:
        _run(Path(sys.argv[1]), joined_processes)
