"""Several processes pretrain the same as one. They are real processes, started by torchrun."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from nasoa.errors import CorruptRecord, EncodingError, InvalidInput, NasoaError, UnknownName
from nasoa.training.processes import Processes, portable, process_group
from tests.all_cores import all_cores
from tests.offline import pretraining_process as process

TORCHRUN = (sys.executable, "-m", "nasoa.training.torchrun")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Results of two processes, one of which is killed after six steps and both start again."""
    folder = tmp_path_factory.mktemp("pair")
    command = (*TORCHRUN, "--nproc-per-node=2", "--max-restarts=1", "--monitor-interval=0.1")
    with all_cores():
        done = subprocess.run(
            [*command, "-m", process.__name__, str(folder)],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "result.json").read_text()), folder


@pytest.mark.slow
def test_two_processes_pretrain_what_one_does(pair: tuple[dict[str, Any], Path]) -> None:
    """Losses, learning rates by their effect, statistics and moving average agree to rounding."""
    together, folder = pair
    network = process.fresh()
    alone = process.train(network, lambda _: None)
    assert [p["iteration"] for p in together["curve"]] == [p.iteration for p in alone.curve]
    assert [p["train_loss"] for p in together["curve"]] == pytest.approx(
        [p.train_loss for p in alone.curve], abs=1e-4
    )
    assert together["val_accuracy"] == pytest.approx(alone.val_accuracy, abs=1e-9)
    weights = torch.load(folder / "weights", weights_only=True)
    for name, value in network.state_dict().items():
        assert torch.allclose(weights[name].float(), value.float(), atol=1e-3), name


@pytest.mark.slow
def test_a_killed_process_goes_on_from_its_checkpoint(pair: tuple[dict[str, Any], Path]) -> None:
    """Both resumed between the first checkpoint and the end; the result is that of one process."""
    assert 1 <= pair[0]["resumed_at"] <= process.DIES_AT


@pytest.mark.slow
def test_a_limit_ends_all_processes_at_the_same_step(pair: tuple[dict[str, Any], Path]) -> None:
    first, *others = pair[0]["ends"]
    assert first > 0
    assert others == [first]


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(InvalidInput, match="divides the batch size of 128 images, got 3"):
        Processes(count=3).divide(128)


def test_an_environment_that_is_not_whole_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(InvalidInput, match="MASTER_ADDR is not set"), process_group():
        pass
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(InvalidInput, match="WORLD_SIZE to be a number"), process_group():
        pass


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UnknownName("model", "b", ["a"]), InvalidInput),
        (EncodingError("0", 1, "odd"), InvalidInput),
        (CorruptRecord("key", "odd"), NasoaError),
    ],
)
def test_every_error_can_be_told_to_others(error: NasoaError, kind: type[NasoaError]) -> None:
    told = pickle.loads(pickle.dumps(portable(error)))
    assert (type(told), str(told)) == (kind, str(error))


def test_alone_everything_is_its_own() -> None:
    with process_group() as alone:
        assert alone == Processes()
        assert alone.part(8) == slice(0, 8)
        assert (alone.mean(0.3), alone.total(3), alone.gathered("x")) == (0.3, 3, ["x"])
        assert list(alone.agreed((2.0, 1.0))) == [2.0, 1.0]
