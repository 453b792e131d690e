"""Mistakes of users: exit code 2, one line, nothing written, no traceback."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nasoa.arch import build_network, parse
from nasoa.cli import main
from nasoa.store import open_store
from nasoa.zoo.backbones import LIBRARIES

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command line with a new store: exit code and standard error."""
    monkeypatch.chdir(tmp_path)
    # A limit counts from the start of the process, which is that of all tests here.
    monkeypatch.setattr("nasoa.cli.task.process_start", time.monotonic)

    def run_it(*arguments: str) -> tuple[int, str]:
        code = main([*arguments, *(() if "--store" in arguments else ("--store", "store"))])
        captured = capsys.readouterr()
        assert captured.out == "" or code == 0
        return code, captured.err

    return run_it


def refused(run: Run, *arguments: str) -> str:
    """Return the line with which a command line is refused."""
    code, text = run(*arguments)
    assert code == 2, text
    assert text.startswith("nasoa: ")
    assert text.count("\n") == 1
    assert "Traceback" not in text
    assert not Path("store").exists()
    return text


def jpeg(size: tuple[int, int] = (40, 40)) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    out = BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


def folder(root: Path, classes: dict[str, int]) -> str:
    for name, count in classes.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            (root / name / f"{i}.jpg").write_bytes(jpeg())
    return str(root)


def archive(path: Path, members: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return str(path)


def test_data_that_is_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("not a zip")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04" + b"\0" * 50)
    np.savez(tmp_path / "object.npz", x=np.array([{"a": 1}], dtype=object), y=np.array([0]))
    np.savez(tmp_path / "shape.npz", x=np.zeros((4, 3), np.uint8), y=np.array([0, 1, 0, 1]))
    images = np.zeros((4, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "labels.npz", x=images, y=np.array([0.5, 1, 0, 1]))
    np.savez(tmp_path / "length.npz", x=images, y=np.array([0, 1]))
    cases = {
        "nowhere.zip": "nowhere.zip",
        "empty": "empty",
        "text.zip": "zip",
        "cut.zip": "zip",
        "object.npz": "object.npz",
        "shape.npz": "shape.npz",
        "labels.npz": "labels.npz",
        "length.npz": "length.npz",
        folder(tmp_path / "one", {"cat": 10}): "class",
        folder(tmp_path / "single", {"cat": 10, "dog": 1}): "dog",
        folder(tmp_path / "none", {"cat": 0, "dog": 0}): "image",
        "sklearn:iris": "iris",
        "torchvision:CIFAR11": "CIFAR10",
    }
    for data, names in cases.items():
        assert names in refused(run, "finetune", data, "--time-limit", "30s"), data
        assert names in refused(run, "task", "describe", data), data


def test_data_that_is_elsewhere_is_suggested(run: Run, tmp_path: Path) -> None:
    (tmp_path / "photos" / "train").mkdir(parents=True)
    (tmp_path / "flowers.zip").touch()
    for given, meant in {
        "photo": "photos",
        "Photos/train": "photos/train",
        "photos/tran": "photos/train",
        "photo/test": "photos",
        "flower.zip": "flowers.zip",
        str(tmp_path / "photo"): str(tmp_path / "photos"),
    }.items():
        told = refused(run, "task", "describe", given)
        assert f"no file or folder '{given}': did you mean {meant}? expected a folder" in told
    assert "did you mean" not in refused(run, "task", "describe", "nothing-like-it")
    assert "did you mean" not in refused(run, "task", "describe", "photos/train/x/y")
    told = refused(run, "predict", "photo", "x.jpg")
    assert "photo has none; did you mean photos?" in told


@pytest.mark.parametrize("name", ["../out.jpg", "/abs.jpg", "cat/../../x.jpg"])
def test_a_zip_that_leaves_its_folder(run: Run, tmp_path: Path, name: str) -> None:
    members = {f"{c}/{i}.jpg": jpeg() for c in ("cat", "dog") for i in range(5)}
    data = archive(tmp_path / "evil.zip", {**members, name: jpeg()})
    assert "evil.zip" in refused(run, "finetune", data, "--time-limit", "30s")


def test_too_many_bad_images(run: Run, tmp_path: Path) -> None:
    data = folder(tmp_path / "photos", {"cat": 10, "dog": 10})
    for i in range(5):
        (Path(data) / "cat" / f"{i}.jpg").write_bytes(jpeg()[:100] if i % 2 else b"")
    assert "5" in refused(run, "finetune", data, "--time-limit", "30s")


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ("0", "above zero"),
        ("0s", "above zero"),
        ("-5s", "above zero"),
        ("soon", "like 45s"),
        ("", "like 45s"),
        ("10 parsecs", "like 45s"),
        ("nan", "like 45s"),
    ],
)
def test_limits_that_are_none(run: Run, limit: str, says: str) -> None:
    for verb in ("finetune", "recommend"):
        assert says in refused(run, verb, "sklearn:digits", f"--time-limit={limit}")


def test_exploration_that_costs_too_much_is_refused_at_once(run: Run) -> None:
    for verb in ("finetune", "recommend"):
        text = refused(run, verb, "sklearn:digits", "--time-limit", "60s", "--explore", "5")
        assert "from 0 to 0.1, in accuracy, got 5" in text


@pytest.mark.parametrize("verb", ["finetune", "recommend"])
def test_a_model_that_there_is_not_is_refused_at_once(run: Run, verb: str) -> None:
    """Similar names are suggested, before anything is measured or written."""
    arguments = ("sklearn:digits:classes=0,1:per_class=30", "--time-limit", "20s")
    told = refused(run, verb, *arguments, "--model", "ET-NAS-B", "--model", "ET-NAS-AA")
    assert "unknown model 'ET-NAS-AA': did you mean" in told
    assert "ET-NAS-A?" in told or "ET-NAS-A or" in told
    assert "nasoa zoo list prints all models, and nasoa zoo add adds others" in told


def test_a_limit_too_short_names_the_shortest_that_works(run: Run) -> None:
    code, text = run("finetune", "sklearn:digits", "--time-limit", "200ms")
    assert (code, text.count("\n")) == (2, 1)
    assert "time limit of at least" in text
    # What was measured to find that limit is stored, and nothing else.
    assert all(key.startswith("step_time/") for key in open_store("store").list())


@pytest.mark.parametrize(
    ("encoding", "says"),
    [
        ("720- 64 11-21-21-21", "position 0"),
        ("020- 64", "position 7"),
        ("020-a03 64 11-21-21-21", "position 6"),
        ("020-a20 64 11-21-21-21", "position 5"),
        ("020- 64 11-21-21", "position 8"),
        ("020- 0 11-21-21-21", "position 5"),
        ("3- 2 1-1-1-1", "do not divide"),
    ],
)
def test_encodings_that_are_none(run: Run, encoding: str, says: str) -> None:
    assert says in refused(run, "arch", "stats", encoding)


def test_networks_that_no_memory_holds(run: Run) -> None:
    largest = ("arch", "stats", "0- 65536 1-1-1-1", "--json")
    code, text = run(*largest, "--resolution", "65536", "--classes", "1000000")
    assert (code, text) == (0, "")
    for flag, value in (("--resolution", "65537"), ("--classes", str(2**40)), ("--classes", "0")):
        assert f"got {value}" in refused(run, *largest, flag, value)


def test_stores_that_cannot_be_used(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    assert "folder" in refused(run, "zoo", "list", "--store", "file")
    assert "expected a store" in refused(run, "zoo", "list", "--store", "gs://bucket")
    monkeypatch.setenv("NASOA_S3_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-key")
    text = refused(run, "predictor", "show", "--store", "s3://bucket/x")
    assert "cannot be reached" in text
    assert "hidden-key" not in text


@pytest.mark.slow
def test_names_that_nothing_has(run: Run) -> None:
    assert "did you mean ET-NAS-A" in refused(run, "zoo", "profile", "ET-NAS-AA")
    assert "did you mean finetune_task" in refused(run, "pipeline", "run", "finetune_tusk")
    assert "did you mean finetune" in refused(run, "finetun")
    assert "did you mean time_limit" in refused(
        run, "pipeline", "run", "finetune-task", "-p", "data=x", "-p", "timelimit=3s"
    )
    assert "-p data=" in refused(run, "pipeline", "run", "finetune-task")
    assert "a number" in refused(
        run, "pipeline", "run", "finetune-task", "-p", "data=x", "-p", "seed=x"
    )
    assert "-p data=photos.zip" in refused(run, "pipeline", "run", "finetune-task", "-p", "data")
    assert "unknown option" in refused(run, "zoo", "list", "--frobnicate")


@pytest.mark.slow
def test_weights_that_do_not_fit(run: Run, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    assert "expected *.pth" in refused(run, "zoo", "import", str(models))
    assert "not a folder" in refused(run, "zoo", "import", str(tmp_path / "nowhere"))
    torch.save({"fc.bias": torch.zeros(10)}, models / "x.pth")
    assert "none of the twelve" in refused(run, "zoo", "import", str(models))
    torch.save({"fc.bias": torch.tensor(1.0)}, models / "x.pth")
    assert "none of the twelve" in refused(run, "zoo", "import", str(models))
    (models / "x.pth").write_text("not a checkpoint")
    assert "x.pth" in refused(run, "zoo", "import", str(models))


def test_a_model_folder_without_a_model(run: Run, tmp_path: Path) -> None:
    (tmp_path / "image.jpg").write_bytes(jpeg())
    assert "has none" in refused(run, "predict", str(tmp_path), "image.jpg")


def test_a_folder_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "writable" in refused(run, "pipeline", "compile", "--all", "-o", "file/x")
    assert "written" in refused(run, "report", "-o", "file/x.html")


@pytest.mark.slow
def test_a_mistake_in_a_pipeline_is_one_line_too(run: Run) -> None:
    text = refused(
        run, "pipeline", "run", "finetune-task", "-p", "data=nowhere.zip", "-p", "time_limit=9s"
    )
    assert "nowhere.zip" in text


def test_backbones_that_cannot_be_added(run: Run, tmp_path: Path) -> None:
    def add(*arguments: str) -> str:
        return refused(run, "zoo", "add", *arguments)

    weights = tmp_path / "w.pth"
    torch.save({"fc.weight": torch.zeros(3, 2)}, weights)
    assert "did you mean torchvision:resnet18" in add("resnet18")
    assert "did you mean mobilenet_v3_small" in add("torchvision:mobilenet_v3_smal")
    assert "did you mean IMAGENET1K_V1" in add("torchvision:resnet18:IMAGENET")
    assert "give it with --accuracy" in add("torchvision:resnet18", "--weights", str(weights))
    given = ("--weights", str(weights), "--accuracy", "0.5")
    assert "expected a tensor 'conv1.weight'" in add("torchvision:resnet18", *given)
    assert "between 0 and 1, got 50.0" in add("torchvision:resnet18", "--accuracy", "50")
    assert "there is none at" in add("nowhere.pth", "--encoding", "020- 8 1-2-1-2")


class Malicious:
    """An object whose pickle writes a file when it is loaded."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("ran"),))


def test_weights_with_code_are_never_run(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    file = str(folder / "code.pth")
    torch.save({"fc.bias": torch.zeros(10), "fc.weight": Malicious()}, file)
    given = ("--accuracy", "0.5")
    for arguments in (
        ("zoo", "add", file, "--encoding", "020- 8 1-2-1-2", *given),
        ("zoo", "add", "torchvision:resnet18", "--weights", file, *given),
        ("zoo", "import", str(folder)),
    ):
        assert "holds code, which is never run" in refused(run, *arguments)
    assert not Path("ran").exists()


ENCODING = "020- 8 1-2-1-2"


def test_files_that_are_not_those_of_their_encoding(run: Run, tmp_path: Path) -> None:
    own = build_network(parse(ENCODING), 5).state_dict()
    bias = own["head.fc.bias"]
    cases = {
        "shape (4, 3, 3, 3), got (8, 3, 3, 3)": build_network(
            parse("020- 16 1-2-1-2"), 5
        ).state_dict(),
        "whole classifier": {k: v for k, v in own.items() if not k.startswith("head")},
        "not finite": {**own, "head.fc.bias": bias * float("nan")},
        "shape (1, 32), got (5, 32)": {**own, "head.fc.bias": torch.tensor(1.0)},
        "of a type like torch.float32, got int32": {**own, "head.fc.bias": bias.int()},
        "'extra' is left over": {**own, "extra": bias},
    }
    for says, state in cases.items():
        torch.save(state, tmp_path / "w.pth")
        add = ("zoo", "add", "w.pth", "--encoding", ENCODING, "--accuracy", "0.5")
        assert says in refused(run, *add), says
    torch.save(own, tmp_path / "w.pth")
    assert "give it with --encoding" in refused(run, "zoo", "add", "w.pth", "--accuracy", "0.5")
    assert "expected a name of letters" in refused(run, *add, "--name", "a/b")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("torchvision:squeezenet1_1", "ends in a linear layer"),
        ("timm:xcit_nano_12_p16_224", "at least 4 blocks after the stem"),
    ],
)
def test_backbones_without_a_head_or_stages(
    run: Run, tmp_path: Path, model: str, says: str
) -> None:
    library, _, name = model.partition(":")
    pytest.importorskip(library)
    file = str(tmp_path / "w.pth")
    torch.save(LIBRARIES[library].build(name, 5, 224).state_dict(), file)
    assert says in refused(run, "zoo", "add", model, "--weights", file, "--accuracy", "0.5")


def test_a_library_of_many_names_says_a_few(run: Run) -> None:
    text = refused(run, "zoo", "add", "torchvision:")
    assert " more" in text
    assert len(text) < 500


def test_shards_that_are_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "train-0.tar").write_bytes(b"x" * 1000)
    cases = {
        "shards:": "names no shards",
        "shards:empty": "no .tar files in empty",
        "shards:train-{0..9}.tar": "no shards match",
        "shards:cut": "shard cut/train-0.tar is not a complete tar archive",
        "shards:s3://bucket/a-{0..9}.tar": "expected shards:s3://bucket/prefix",
    }
    for data, says in cases.items():
        assert says in refused(run, "task", "describe", data), data
    photos = folder(tmp_path / "photos", {"cat": 3, "dog": 3})
    assert "is not empty" in refused(run, "data", "shard", photos, "-o", photos)
    assert "at least 1 image" in refused(
        run, "data", "shard", photos, "-o", "out", "--images-per-shard", "0"
    )


def test_searches_that_cannot_be(run: Run) -> None:
    begin = ("search", "run", "s", "--space", "block", "--data", "nowhere.zip")
    assert "num_children" in refused(run, *begin, "--num-children", "0")
    assert "max_evaluations" in refused(run, *begin, "--max-evaluations", "0")
    assert "max_step_time_ms" in refused(run, *begin, "--max-step-time-ms", "-3")
    assert "num_random" in refused(run, *begin, "--num-random", "-1")
    assert "epsilon" in refused(run, *begin, "--epsilon", "-1", "0")
    assert "at least 1 worker" in refused(run, *begin, "--workers", "0")
    for count in ("-3", "1"):
        assert "num_classes" in refused(run, *begin, "--num-classes", count)
    assert "timeout_s" in refused(run, *begin, "--timeout-s", "0")
    assert "first channel" in refused(run, *begin, "--first-channels", "63")
    assert "--space and --data" in refused(run, "search", "run", "s", "--space", "block")
    given = ("--lr", "0.3", "--signal", "loss", "--pool", "4", "--cells-from", "other")
    told = refused(run, "search", "run", "s", *given)
    assert "got --pool, --lr, --signal, --cells-from; leave them out" in told
    for option in (("--scale", "paper"), ("--num-cells", "3"), ("--min-scale", "0.5")):
        assert f"got {option[0]}; leave" in refused(run, "search", "run", "s", *option)
    assert "leave that out, or use --space macro" in refused(run, *begin, "--cells", "020-")
    assert "got --cells-from; leave" in refused(run, *begin, "--cells-from", "b")
    assert "expected --cells-from with --num-cells" in refused(run, *begin, "--num-cells", "3")
    assert "min_scale" in refused(run, *begin, "--min-scale", "0")
    assert "weight_decay" in refused(run, *begin, "--weight-decay", "-1")
    for taught in (("--teacher", "efficientnet-lite0"), ("--teacher-resolution", "96")):
        assert "add --signal teacher, or leave out" in refused(run, *begin, *taught)
        assert "add --signal teacher" in refused(run, *begin, *taught, "--signal", "loss")
    macro = ("search", "run", "s", "--space", "macro", "--data", "x.zip")
    assert "at least one cell" in refused(run, *macro)
    assert "encoding 'x'" in refused(run, *macro, "--cells", "x")
    both = ("--cells", "020-", "--cells-from", "b")
    assert "either --cells or --cells-from, got both" in refused(run, *macro, *both)
    assert "last channel" in refused(run, *macro, "--cells", "020-", "--last-channels", "48")
    none = "unknown search 's': there are none yet; the store is "
    assert none in refused(run, "search", "show", "s")
    assert none in refused(run, "zoo", "build", "--search", "s", "--data", "x.zip")
    build = ("zoo", "build", "--search", "s", "--data", "x.zip", "--teacher-resolution", "96")
    assert "expected --teacher with --teacher-resolution" in refused(run, *build)
    assert "learning rate above 0" in refused(run, *build[:-2], "--lr", "0")
    assert "unknown model 'no-teacher'" in refused(run, *build[:-2], "--teacher", "no-teacher")
    for count in ("0", str(10**30)):
        assert "-n" in refused(run, "arch", "sample", "--space", "block", "-n", count)
    assert "seed" in refused(run, "arch", "sample", "--space", "block", "--seed", "-1")


def test_collections_that_cannot_be(run: Run) -> None:
    assert "budget" in refused(run, "meta-train", "x.zip")
    assert "time limit like 45s" in refused(run, "meta-train", "x.zip", "--time-limit", "soon")
    assert "shard" in refused(run, "meta-train", "x.zip", "--runs", "1", "--shard", "3", "2")
    told = refused(run, "meta-train", "x.zip", "--runs", "1", "--iterations", "9", "3")
    assert "the fewest first" in told
    limits = ("meta-train", "x.zip", "--runs", "1", "--run-limit", "1m", "--limits")
    assert "the shortest first" in refused(run, *limits, "40s", "20s")
    told = refused(run, *limits, "20s", "2m")
    assert "run limit not below the longest, got 20 and 120 s, and a run limit of 60 s" in told
    assert "time limit like 45s" in refused(run, *limits, "20s", "soon")
    told = refused(run, "meta-train", "x.zip", "--runs", "1", "--models", "ET-NAS-a")
    assert "unknown model 'ET-NAS-a': did you mean" in told
