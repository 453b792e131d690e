"""`nasoa predict`: its inputs, output formats and memory use."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from nasoa.cli import main
from nasoa.cli.answers import as_table
from nasoa.cli.output import counting_bar, work_bars
from nasoa.data.grey_range import GreyRange
from nasoa.records import to_json
from nasoa.steps.classifying import Answer
from nasoa.work_progress import report_progress
from tests.random_model import random_model

Run = Callable[..., tuple[int, str, str]]


def save_model(folder: Path, resolution: int = 32) -> None:
    """Save a network with random weights for the classes `x,y` and `z`."""
    files, _card = random_model(("x,y", "z"), resolution=resolution)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `predict` beside `model` and `photos`: exit code and outputs."""
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "model")
    (tmp_path / "photos").mkdir()
    for i in range(4):
        Image.new("RGB", (40, 30), (60 * i, 0, 250 - 60 * i)).save(tmp_path / f"photos/{i}.png")

    def run_it(*arguments: str, given: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        code = main(["predict", "model", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_it


def test_a_row_for_each_file_those_that_fail_among_them(run: Run) -> None:
    Path("photos/1b.png").write_text("no image")
    code, out, told = run("photos", "absent.png")
    assert code == 1
    assert told == "nasoa: 2 of 6 images could not be read; see the row of each\n"
    header, *rows = out.splitlines()
    assert header.split() == ["image", "class", "probability"]
    places = ["photos/0.png", "photos/1.png", "photos/1b.png", "photos/2.png", "photos/3.png"]
    assert [row.split()[0] for row in rows] == [*places, "absent.png"]
    assert rows[2] == (
        "photos/1b.png  error: photos/1b.png cannot be read as an image: not an image, or empty"
    )
    assert rows[5].startswith("absent.png     error: no image file 'absent.png'")
    assert "no image file 'https://x.org/a.png'" in run("https://x.org/a.png")[1]
    column = header.index("probability")
    assert all(0.5 <= float(rows[i][column:]) <= 1 for i in (0, 1, 3, 4))
    assert run("photos/[02].png")[0] == 0


def test_json_is_one_array_as_it_was_with_an_error_where_one_failed(run: Run) -> None:
    code, out, _ = run("photos", "--json")
    assert code == 0
    answers: list[dict[str, Any]] = json.loads(out)
    assert [sorted(answer) for answer in answers] == [
        ["class_name", "image", "probabilities", "probability"]
    ] * 4
    for answer in answers:
        assert list(answer["probabilities"]) == ["x,y", "z"]
        assert answer["probability"] == max(answer["probabilities"].values())
        assert answer["probabilities"][answer["class_name"]] == answer["probability"]
    code, out, _ = run("photos/0.png", "absent.png", "photos/1.png", "--json")
    assert code == 1
    first, failed, last = json.loads(out)
    assert [first["image"], last["image"]] == ["photos/0.png", "photos/1.png"]
    assert "no image file" in failed["error"]
    assert failed["class_name"] is None
    assert out.encode() == msgspec.json.format(out.encode(), indent=2) + b"\n"


def test_lines_for_programs(run: Run) -> None:
    known = {a["image"]: a for a in json.loads(run("photos", "--json")[1])}
    code, out, _ = run("-", "--format", "jsonl", given=b"photos/2.png\nab\xffsent.png\n")
    assert code == 1
    good, failed = map(json.loads, out.splitlines())
    assert good == {
        "image": "photos/2.png",
        "class_name": known["photos/2.png"]["class_name"],
        "probability": pytest.approx(known["photos/2.png"]["probability"], abs=1e-5),
        "error": None,
        "probabilities": pytest.approx(known["photos/2.png"]["probabilities"], abs=1e-5),
    }
    assert failed["image"] == "ab\ufffdsent.png"
    assert failed["class_name"] is failed["probability"] is failed["probabilities"] is None
    assert "no image file" in failed["error"]
    code, out, _ = run("photos/2.png", "absent.png", "--format", "csv")
    assert code == 1
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["image", "class_name", "probability", "error"]
    assert list(rows[0].values()) == [
        "photos/2.png",
        good["class_name"],
        str(good["probability"]),
        "",
    ]
    assert list(rows[1].values())[:3] == ["absent.png", "", ""]
    assert "no image file" in rows[1]["error"]


def answer(image: str, class_name: str = "daisy", error: str = "") -> Answer:
    if error:
        return Answer(image=image, error=error)
    return Answer(image=image, class_name=class_name, probability=0.5, probabilities={})


def test_the_table_fits_the_terminal() -> None:
    first = [answer("a/very/long/path/of/photographs/0001.jpg"), answer("b.jpg", "tulip")]
    later = [answer("c" * 60 + ".png", "a class of many words"), answer("d.jpg", error="no " * 30)]
    lines = "".join(as_table([first, later], 50)).splitlines()
    assert lines == [
        "image                        class  probability",
        "a/very/l...ographs/0001.jpg  daisy  0.500",
        "b.jpg                        tulip  0.500",
        "cccccccc...cccccccccccc.png  a...ords  0.500",
        f"d.jpg                        error: {'no ' * 30}".rstrip(),
    ]
    assert max(len(line) for line in lines[:4]) <= 50
    # Into a file, and where it fits, names are whole.
    assert f"{later[0].image}  a class of many words" in "".join(as_table([first, later]))
    assert first[0].image in "".join(as_table([first], 80))
    # A terminal may be narrower than a row.
    assert "0.500" in "".join(as_table([first], 10))


def test_a_file_is_written_in_the_form_that_its_name_tells(run: Run) -> None:
    code, out, _ = run("photos", "absent.png", "-o", "answers.jsonl")
    assert (code, out) == (1, "Wrote the answers for 5 images to answers.jsonl.\n")
    lines = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    assert [line["error"] is None for line in lines] == [True] * 4 + [False]
    code, out, _ = run("photos", "-o", "a.dat", "--format", "csv", "--json")
    assert json.loads(out) == {"file": "a.dat", "images": 4, "failed": 0}
    assert len(Path("a.dat").read_text().splitlines()) == 5
    run("photos", "--json", "-o", "answers")
    assert json.loads(Path("answers").read_text()) == json.loads(run("photos", "--json")[1])


def test_a_file_is_written_whole_or_not_at_all(run: Run) -> None:
    spec = importlib.util.spec_from_file_location(
        "full_disk", Path(__file__).resolve().parents[1] / "full_disk.py"
    )
    assert spec is not None
    assert spec.loader is not None
    full_disk: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(full_disk)
    target = Path("answers.jsonl")
    target.write_text("of yesterday")
    before = sorted(os.listdir())
    with full_disk.largest_file(300):
        code, _, told = run("photos", "-o", "answers.jsonl")
    assert code == 2
    assert "answers.jsonl failed: File too large" in told
    assert told.count("\n") == 1
    assert run("empty*", "-o", "answers.jsonl")[0] == 2
    assert target.read_text() == "of yesterday"
    assert sorted(os.listdir()) == before


def test_what_cannot_be_meant_is_refused(run: Run) -> None:
    Path("empty").mkdir()
    assert run("empty", "*.none")[2].count("\n") == 1
    for arguments, message in (
        (["empty"], "no images in empty: expected image files"),
        (["photos", "--json", "--format", "csv"], "expected --json or --format csv, got both"),
        (["photos", "-o", "answers"], "expected a file that ends in .jsonl, .csv, .json, .txt"),
        (["photos", "-o", "empty/x/a.csv"], "can be written"),
        (["photos", "-o", "/dev/null", "--format", "csv"], "/dev/null is not one"),
    ):
        code, out, told = run(*arguments)
        assert (code, out) == (2, "")
        assert message in told.splitlines()[-1]


def test_the_table_goes_on_with_the_widths_of_its_first_page(run: Run) -> None:
    first = b"photos/0.png\n" * 256
    _, out, _ = run("-", given=first + b"./photos/../photos/1.png\nphotos/2.png\n")
    lines = out.splitlines()
    assert len(lines) == 259
    assert lines.count(lines[1]) == 256
    assert lines[257].startswith("./photos/../photos/1.png  ")
    assert lines[258].startswith("photos/2.png  ")
    assert lines[258].index(" 0.") == lines[1].index(" 0.")


def test_a_table_in_a_file_is_not_cut(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasoa.cli.predict.terminal_width", lambda: 30)
    name = f"photos/{'n' * 40}.png"
    Image.new("RGB", (40, 30)).save(name)
    assert run(name, "-o", "answers.txt")[0] == 0
    assert name in Path("answers.txt").read_text()
    _, out, _ = run(name)
    assert name not in out
    assert "..." in out


def test_the_bar_tells_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with counting_bar(100, "images") as hidden:
        hidden.update(50)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for total in (100, None):
        with counting_bar(total, "images") as bar:
            bar.start_t -= 10
            bar.last_print_t -= 10
            bar.update(50)
        told = capsys.readouterr().err
        assert "50 of 100 images, " in told if total else "50 images, " in told
        assert ("00:1" in told or "00:0" in told) == bool(total)
        assert "images/s" in told


def test_work_has_a_bar_for_each_kind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        for unit, total in (("images", 3), ("batches", 2), ("batches", 4)):
            for done in range(total + 1):
                report_progress(unit, done, total)

    with work_bars():
        work()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with work_bars():
        work()
    assert capsys.readouterr().err == ""  # it took less than a second
    monkeypatch.setattr("nasoa.cli.output.WORK_DELAY_S", 0.0)
    with work_bars():
        work()
        report_progress("batches", 1, 4)
    told = capsys.readouterr().err
    for count in ("0 of 3 images", "0 of 2 batches", "0 of 4 batches"):
        assert count in told


def test_greys_of_twelve_bits_are_scaled_as_in_training(run: Run) -> None:
    files, card = random_model(("x,y", "z"), resolution=32)
    card = replace(card, grey_range=GreyRange(0, 4095))
    Path("model/model.json").write_bytes(to_json(card))
    levels = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(levels).save("eight.png")
    deep = (levels.astype(np.uint32) * 4095 + 254) // 255
    Image.fromarray(deep.astype(np.uint16)).save("twelve.png")
    eight, twelve = json.loads(run("eight.png", "twelve.png", "--json")[1])
    assert twelve["probabilities"] == pytest.approx(eight["probabilities"], abs=1e-4)
    Path("model/model.json").write_bytes(files["model.json"])
    _, black = json.loads(run("eight.png", "twelve.png", "--json")[1])
    assert black["probabilities"] != pytest.approx(eight["probabilities"], abs=1e-4)


GROWTH = """
import sys
from pathlib import Path
from nasoa.cli import main

def peak_kib(lines):
    Path("/proc/self/clear_refs").write_text("5")  # the peak is measured from here
    sys.stdin = open(lines)
    assert main(["predict", "model", "-", "-o", "answers.csv"]) == 0
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])

print([peak_kib(f"{count}.txt") for count in (1000, 1000, 1000, 9000)])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    """Both are measured in one process, so that both include what is loaded and warmed up once.

    The allocator keeps what was freed, so the peak settles only after some thousand images, and
    tens of MB are noise: what is held for each image has to stand out.
    """
    save_model(tmp_path / "model", resolution=96)
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    for count in (1000, 9000):
        (tmp_path / f"{count}.txt").write_text("a.png\n" * count)
    done = subprocess.run(
        [sys.executable, "-c", GROWTH],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    *_warm_up, few, many = json.loads(done.stdout.splitlines()[-1])
    all_images_bytes = 8000 * 3 * 96 * 96
    assert (many - few) * 1024 < all_images_bytes / 2, (few, many)
