"""Files with weights, whose code is never run."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._utils import _rebuild_tensor_v2

from nasoa.errors import WeightsError
from nasoa.zoo.weight_files import load_strictly, read_checkpoint


def test_a_pickle_with_code_is_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Malicious:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (marker,))

    torch.save({"fc.weight": Malicious()}, tmp_path / "bad.pth")
    with pytest.raises(WeightsError, match="code, which is never run"):
        read_checkpoint(tmp_path / "bad.pth")
    assert not marker.exists()


@pytest.mark.parametrize("wrapped", [False, True])
def test_tensors_are_found_in_what_trainers_save(tmp_path: Path, wrapped: bool) -> None:
    state = {"module.weight": torch.ones(2)}
    document = {"state_dict": state, "epoch": 3} if wrapped else state
    torch.save(document, tmp_path / "a.pth")
    assert torch.equal(read_checkpoint(tmp_path / "a.pth")["weight"], torch.ones(2))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.pth", b"text", "cannot be read"),
        ("a.pth", b"", "cannot be read"),
        ("a.safetensors", b"text", "not a safetensors document"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=problem):
        read_checkpoint(tmp_path / name)


def test_a_folder_or_nothing_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.pth"):
        with pytest.raises(WeightsError, match="there is none at"):
            read_checkpoint(path)


def test_a_whole_module_or_numbers_are_no_state_dict(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="expected a state dict of tensors"):
        read_checkpoint(tmp_path / "list.pth")
    torch.save(nn.Linear(2, 2), tmp_path / "module.pth")
    with pytest.raises(WeightsError, match="save the network's state_dict"):
        read_checkpoint(tmp_path / "module.pth")


def test_files_older_than_the_counter_of_batches_load() -> None:
    network = nn.BatchNorm2d(3)
    state = {k: v + 1 for k, v in network.state_dict().items() if "num_batches" not in k}
    load_strictly(network, state, "a norm")
    assert network.state_dict()["running_mean"].tolist() == [1.0, 1.0, 1.0]


def packed_again(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_tensors_that_claim_more_than_the_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"fc.weight": torch.zeros(1).expand(50_000, 50_000)}, path)
    assert path.stat().st_size < 3000
    with pytest.raises(WeightsError, match="claims 10000000000 bytes"):
        read_checkpoint(path)
    storage = torch.zeros(4)._typed_storage()
    negative = _rebuild_tensor_v2(storage, 0, (-2, 0, 3), (0, 0, 1), False, None)
    torch.save({"fc.weight": negative}, path)
    with pytest.raises(WeightsError, match="claims 0 bytes"):
        read_checkpoint(path)
    torch.save({"fc.weight": torch.zeros(8, 2).t()}, path)  # a view of its entire storage
    assert read_checkpoint(path)["fc.weight"].shape == (2, 8)
    torch.save({"fc.weight": torch.zeros(1000, 1000)}, path)
    packed_again(path)
    with pytest.raises(WeightsError, match="in it is compressed"):
        read_checkpoint(path)
