"""A package is hidden from what is imported in a block, and can be imported afterwards."""

from __future__ import annotations

import importlib
import sys

import pytest

from nasoa.pipelines.hidden_package import hidden_package

RARE = "this"  # a module of the standard library that nothing imports


def test_a_package_is_hidden_in_the_block_only(capsys: pytest.CaptureFixture[str]) -> None:
    sys.modules.pop(RARE, None)
    with hidden_package(RARE), pytest.raises(ImportError):
        importlib.import_module(RARE)
    assert importlib.import_module(RARE)
    assert "Zen" in capsys.readouterr().out
    with hidden_package(RARE):  # it was imported before
        assert importlib.import_module(RARE)
    assert RARE in sys.modules


def test_pipelines_are_built_when_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from nasoa.pipelines import catalogue

    built = []
    monkeypatch.setattr(catalogue, "build", lambda name, _options: built.append(name) or name)
    pipelines = catalogue._Pipelines()
    assert "finetune_task" in pipelines
    assert "other" not in pipelines
    assert set(pipelines) == set(catalogue.DEFINITIONS)
    assert built == []
    assert pipelines["meta_train"] == pipelines["meta_train"] == "meta_train"
    assert built == ["meta_train"]
    with pytest.raises(KeyError):
        pipelines["other"]
