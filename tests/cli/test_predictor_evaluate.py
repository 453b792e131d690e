"""`nasoa predictor evaluate`: its document, its tables and its errors."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nasoa.cli import main
from nasoa.online.collecting.starter import collected_runs
from nasoa.online.evaluation.catalogue import PREDICTORS, Entry
from nasoa.online.mixture.mixture import EXPERTS
from nasoa.records import HIDDEN_KEY, RUN_KEY
from nasoa.steps.evaluate_predictor import EvaluationConfig, TableColumns, evaluate_table

ERROR_KEYS = {"name", "mae", "mse", "mae_first_20", "mae_last_20", "coverage_90", "ms_per_row"}


@pytest.fixture
def runs(tmp_path: Path) -> str:
    """Four tasks of 12 runs: a model, a learning rate, and a property of the task."""
    rng = np.random.default_rng(0)
    path = tmp_path / "runs.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["data", "model", "lr", "classes", "acc"])
        for task in range(4):
            for run in range(12):
                model, rate = ["r18", "r50", "vit"][run % 3], 10.0 ** -(1 + run // 3)
                accuracy = 0.5 + 0.05 * task + 0.05 * (run % 3) - 0.02 * abs(run // 3 - 2)
                writer.writerow(
                    [f"d{task}", model, rate, 2 * task, accuracy + 0.005 * rng.normal()]
                )
    return str(path)


def test_document(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = [x for name in ("default", "ridge") for x in ("--predictor", name)]
    arguments = ["predictor", "evaluate", runs, "--target", "acc", "--group", "data"]
    assert main([*arguments, *chosen, "--feedback", "5", "--jobs", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"rows", "groups", "target", "error", "selection"} <= set(document)
    assert (document["rows"], document["groups"], document["target"]) == (48, 4, "acc")
    assert set(document["error"]) == {"random_order", "group_by_group"}
    for errors in document["error"].values():
        assert [error["name"] for error in errors] == ["default", "ridge"]
        assert all(set(error) >= ERROR_KEYS for error in errors)
        assert errors[0]["coverage_90"] is not None
        assert errors[1]["coverage_90"] is None
        assert all(0 <= error["mae"] <= 1 for error in errors)
    selection = document["selection"]
    assert selection["feedback"] == 5
    names = [result["name"] for result in selection["results"]]
    assert names == ["default", "ridge", "best_on_average", "random"]
    assert all(0 <= result["regret"] <= 1 for result in selection["results"])


def test_text_ranks_predictors(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["predictor", "evaluate", runs, "--target", "acc", "--group", "data"]
    chosen = ["--predictor", "ridge", "--predictor", "running_mean", "--jobs", "1"]
    assert main([*arguments, *chosen]) == 0
    text = capsys.readouterr().out
    for part in ("48 runs of 4 tasks", "random order", "group by group", "best_on_average"):
        assert part in text


@pytest.mark.slow
def test_processes_change_nothing_but_times(runs: str) -> None:
    one, two = (
        evaluate_table(
            runs,
            TableColumns(target="acc", group="data"),
            EvaluationConfig(names=("ridge", "running_mean")),
            jobs=jobs,
        )
        for jobs in (1, 2)
    )
    assert one.selection == two.selection
    for order, errors in one.error.items():
        assert [(e.name, e.mae, e.mse) for e in errors] == [
            (e.name, e.mae, e.mse) for e in two.error[order]
        ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "accuracy", "--group", "data"], "unknown column"),
        (["--target", "acc", "--group", "dataset"], "unknown column"),
        (["--target", "acc"], "--group"),
        (["--target", "acc", "--group", "data", "--feedback", "0"], "--feedback of at least 1"),
        (["--target", "acc", "--group", "data", "--predictor", "rigde"], "did you mean ridge"),
        (["--target", "model", "--group", "data"], "expected numbers"),
        (["--target", "acc", "--group", "acc"], "two columns"),
        (["--target", "acc", "--group", "data", "--jobs", "0"], "--jobs of at least 1"),
        (["--target", "acc", "--group", "data", "--jobs", "two"], "--jobs"),
        (
            ["--target", "acc", "--group", "data", "--seed", "-1"],
            "--seed: expected a whole number from 0",
        ),
        (["--target", "acc", "--group", "data", "--percent"], "leave out --percent"),
    ],
)
def test_refuses_in_one_line(
    runs: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert message in refusal(capsys, runs, *arguments)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the line with which an evaluation is refused."""
    assert main(["predictor", "evaluate", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("nasoa: ")
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


COLUMNS = ("--target", "acc", "--group", "data")
HEADER = "data,model,lr,acc\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("empty",)),
        (HEADER.encode(), ("only a header",)),
        (HEADER.encode() + b"a,m,0.1,0.5\nb,m,0.1\n", ("4 cells", "row 2 has 3")),
        (b"dta,model,lr,acc\na,m,0.1,0.5\n", ("unknown column", "did you mean dta")),
        (HEADER.encode() + b"a,m,0.1,0.5\nb,m,0.1,good\n", ("'acc'", "row 2", "'good'")),
        (HEADER.encode() + b"a,m,0.1,51\nb,m,0.1,0.5\n", ("'acc'", "row 1", "--percent")),
        (HEADER.encode() + b"a,m,0.1,0.5\nb,m,0.1,nan\n", ("'acc'", "row 2", "no number")),
        (HEADER.encode() + b"a,m,0.1,0.5\nb,m,0.1,-inf\n", ("'acc'", "row 2", "-inf")),
        (HEADER.encode() + b"a,m,0.1,0.5\nb,m,inf,0.5\n", ("'lr'", "row 2", "inf")),
        (HEADER.encode() + b"a,m,0.1,0.5\n,m,0.1,0.5\n", ("'data'", "row 2 has none")),
        (HEADER.encode() + b"a,m,0.1,0.5\na,m,0.2,0.5\n", ("at least 2 groups", "'data'")),
        (HEADER.encode() + b"a,m,0.1,0.5\n", ("at least 2 groups",)),
        (b"data,acc\na,0.5\nb,0.6\n", ("columns beside",)),
        (b"data;model;acc\na;m;0.5\n", ("commas", "semicolons")),
        (b"\x89PNG\r\n\x1a\n\0\xff", ("CSV in UTF-8 or Parquet",)),
        (b"PK\x03\x04\x14\0\xe9\xff\0", ("CSV in UTF-8 or Parquet",)),
        ("data,acc\n".encode("utf-16"), ("CSV in UTF-8 or Parquet",)),
        (b"PAR1 and nothing else", ("Parquet", "damaged")),
    ],
)
def test_tables_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, words: tuple[str, ...]
) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(content)
    line = refusal(capsys, str(path), *COLUMNS)
    for word in words:
        assert word in line
    assert str(path) in line


def test_files_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is none" in refusal(capsys, str(tmp_path / "none.csv"), *COLUMNS)
    assert "a folder" in refusal(capsys, str(tmp_path), *COLUMNS)
    if Path("/proc/self/mem").is_file():  # a file that even root cannot read from its start
        assert "but that failed" in refusal(capsys, "/proc/self/mem", *COLUMNS)


def test_percent_is_evaluated_as_shares(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    percent = tmp_path / "percent.csv"
    with Path(runs).open() as stream, percent.open("w", newline="") as out:
        rows = list(csv.DictReader(stream))
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "acc": repr(100.0 * float(row["acc"]))} for row in rows)
    found = []
    for arguments in ([runs], [str(percent), "--percent"]):
        chosen = ["--predictor", "running_mean", "--jobs", "1", "--json"]
        assert main(["predictor", "evaluate", *arguments, *COLUMNS, *chosen]) == 0
        found.append(json.loads(capsys.readouterr().out)["error"]["random_order"][0]["mae"])
    assert found[0] == pytest.approx(found[1])


def test_a_predictor_that_is_not_installed(
    runs: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PREDICTORS, "lightgbm", Entry("x", "X", needs="no_such_package"))
    line = refusal(capsys, runs, *COLUMNS, "--predictor", "lightgbm")
    assert "expected no_such_package for predictor lightgbm" in line
    assert "pip install" in line


def test_ablation(runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every expert is evaluated alone; the complete predictor equals the default one."""
    header, *rows = Path(runs).read_text().splitlines()
    (tmp_path / "few.csv").write_text("\n".join([header, *rows[:5], *rows[12:17]]))
    few = str(tmp_path / "few.csv")
    arguments = ["predictor", "evaluate", few, *COLUMNS, "--feedback", "3", "--jobs", "1"]
    assert main([*arguments, "--predictor", "default", "--ablation", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    found = {line["name"]: line for line in document["ablation"]}
    assert {f"{expert} alone" for expert in EXPERTS} <= set(found)
    assert found["whole"]["regret"] == document["selection"]["results"][0]["regret"]
    for order, errors in document["error"].items():
        assert found["whole"]["error"][order]["mae"] == errors[0]["mae"]
    maes = {line["error"]["random_order"]["mae"] for line in found.values() if line["error"]}
    assert len(maes) > len(EXPERTS)
    assert found["without fallback"]["error"] == {}


def test_says_that_rows_are_there_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("data,lr,acc\n" + "a,0.1,0.5\n" * 3 + "b,0.1,0.6\n")
    arguments = ["predictor", "evaluate", str(path), "--target", "acc", "--group", "data"]
    assert main([*arguments, "--predictor", "running_mean", "--jobs", "1"]) == 0
    assert "2 rows are duplicates of earlier ones" in capsys.readouterr().err


def test_columns_that_no_predictor_may_see(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns that the user names, and those that a Parquet file names."""
    told = tmp_path / "told.parquet"
    with Path(runs).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    table = pa.Table.from_pylist([{**row, "seen_later": row["acc"]} for row in rows])
    pq.write_table(table.replace_schema_metadata({HIDDEN_KEY: b'["seen_later", "gone"]'}), told)
    arguments = ["--target", "acc", "--group", "data", "--predictor", "ridge", "--jobs", "1"]

    def evaluated(*more: str) -> tuple[list[dict[str, float]], list[str], str]:
        assert main(["predictor", "evaluate", *more, *arguments, "--json"]) == 0
        captured = capsys.readouterr()
        document = json.loads(captured.out)
        errors = [error for order in document["error"].values() for error in order]
        figures = [{name: e[name] for name in ("mae", "mse")} for e in errors]
        return figures, document["left_out"], captured.err

    without, left_out, said = evaluated(str(told))
    assert left_out == ["seen_later"]
    assert said == "nasoa: not shown to predictors: seen_later\n"
    assert evaluated(runs) == (without, [], "")
    fewer, left_out, _ = evaluated(str(told), "--drop", "classes", "--drop", "seen_later")
    assert left_out == ["classes", "seen_later"]
    assert fewer != without
    assert evaluated(runs, "--drop", "classes")[0] == fewer
    assert "did you mean classes?" in refusal(capsys, runs, *arguments[:4], "--drop", "clases")


def test_looks_at_one_training_are_told_apart_from_runs(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By an option or by the metadata of a Parquet file; the option takes precedence."""
    with Path(runs).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows = [{**row, "training": f"t{place // 3}"} for place, row in enumerate(rows)]
    table = pa.Table.from_pylist(rows)
    told, untold = tmp_path / "told.parquet", tmp_path / "untold.parquet"
    pq.write_table(table.replace_schema_metadata({RUN_KEY: b"training"}), told)
    pq.write_table(table, untold)
    arguments = ["--target", "acc", "--group", "data", "--predictor", "ridge", "--jobs", "1"]

    def evaluated(path: Path, *more: str) -> tuple[int, list[str], list[float]]:
        assert main(["predictor", "evaluate", str(path), *arguments, *more, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        errors = [error["mae"] for order in document["error"].values() for error in order]
        return document["runs"], document["left_out"], errors

    by_file = evaluated(told)
    assert by_file[0] == 16
    assert evaluated(untold, "--run", "training") == (16, ["training"], by_file[2])
    assert evaluated(told, "--run", "lr")[0] == 4
    alone = evaluated(untold, "--drop", "training")
    assert alone[0] == 48
    assert alone[2] != by_file[2]
    assert main(["predictor", "evaluate", str(told), *arguments]) == 0
    assert "48 evaluations of 16 runs of 4 tasks" in capsys.readouterr().out
    assert "two columns for group and run" in refusal(
        capsys, str(told), *arguments[:4], "--run", "data"
    )
    assert "did you mean training?" in refusal(
        capsys, str(untold), *arguments[:4], "--run", "trainning"
    )
    rows[4]["training"] = ""
    pq.write_table(pa.Table.from_pylist(rows), untold)
    assert "row 5 has none" in refusal(capsys, str(untold), *arguments[:4], "--run", "training")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["table.parquet", "table.csv"])
def test_the_packages_table_is_written_and_can_be_evaluated(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / name)
    assert main(["predictor", "table", "-o", path, "--json"]) == 0
    runs = collected_runs()
    assert json.loads(capsys.readouterr().out) == {"file": path, "records": len(runs)}
    evaluation = evaluate_table(
        path,
        TableColumns(target="accuracy", group="dataset"),
        EvaluationConfig(names=("ridge",)),
    )
    assert evaluation.rows == len(runs)
    trainings = {run.run_id for run in runs} if name.endswith("parquet") else runs
    assert evaluation.runs == len(trainings)
    hidden = {"val_accuracy", "elapsed_s", "ended", "run_id", "seed"}
    assert (
        hidden <= set(evaluation.left_out) if name.endswith("parquet") else not evaluation.left_out
    )
    # A ridge regression that saw the validation accuracy would have an error of .01.
    assert evaluation.error["group_by_group"][0].mae > 0.03


def test_a_table_of_another_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predictor", "table", "-o", str(tmp_path / "t.xlsx")]) == 2
    assert "ends in .parquet or .csv" in capsys.readouterr().err
    (tmp_path / "file").write_text("not a folder")
    assert main(["predictor", "table", "-o", str(tmp_path / "file" / "t.csv")]) == 2
    assert "can be written" in capsys.readouterr().err
