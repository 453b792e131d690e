"""The paper's figures that benchmarks report are the paper's."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks.paper_tables import NETWORKS, TABLE_4, TABLE_5, TABLE_6, TABLE_7
from nasoa.zoo.et_nas import ET_NAS


def test_networks_are_those_of_tables_2_and_10(shared: Path) -> None:
    tables = json.loads((shared / "paper" / "tables.json").read_text())
    for name, top1, inference_ms, train_step_ms, memory_mb in tables["table2_peers"]["rows"]:
        assert NETWORKS[name] == (top1, inference_ms, train_step_ms, memory_mb)
    for name, *_, top1, inference_ms, train_step_ms in tables["table10_et_nas"]["rows"]:
        assert NETWORKS[name][:3] == (top1, inference_ms, train_step_ms)
    assert {model.name for model in ET_NAS} < set(NETWORKS)


def test_table_6(shared: Path) -> None:
    text = (shared / "paper" / "nasoa.txt").read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^(?:From Scratch|Fine-tuning) (\d.*)$", text)
    cells = [
        [tuple(map(float, cell)) for cell in re.findall(r"([\d.]+)% (\d+)", line)] for line in lines
    ]
    ours = [
        [(cell[place], cell[place + 1]) for cell in row.values()]
        for row in TABLE_6.values()
        for place in (0, 2)
    ]
    assert ours == cells
    names = re.findall(r"(?m)^(\S+)\n(?=From Scratch)", text)
    assert list(TABLE_6) == names


def test_tables_4_and_5(shared: Path) -> None:
    tables = json.loads((shared / "paper" / "tables.json").read_text())
    assert [list(row) for row in TABLE_4.rows] == tables["table4_final"]["rows"]
    assert ["method", "search_cost", *TABLE_4.columns] == tables["table4_final"]["columns"]
    assert [list(row) for row in TABLE_5] == tables["table5_ablation"]["rows"]


def test_table_7(shared: Path) -> None:
    tables = json.loads((shared / "paper" / "tables.json").read_text())
    rows = tables["table7_lr_frozen_resnet50"]["rows"]
    assert [list(row) for row in TABLE_7] == [[name, *best] for name, _, _, *best in rows]
