"""`python -m scripts.manifests`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from scripts.manifests import __main__ as command
from scripts.manifests.bundle import BuildFailed, Bundle, build


def test_an_overlay_that_cannot_be_built(tmp_path: Path, built: dict[str, Bundle]) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [absent.yaml]\n")
    with pytest.raises(BuildFailed, match=r"absent\.yaml"):
        build(tmp_path)


@pytest.mark.slow
def test_the_command_writes_and_tells(
    tmp_path: Path, built: dict[str, Bundle], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert len(said.out.splitlines()) == len(built)
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(built)
    for name, bundle in built.items():
        written = list(yaml.safe_load_all((tmp_path / f"{name}.yaml").read_text()))
        assert written == bundle.installed


def test_the_command_fails_where_a_check_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text("resources: [pod.yaml]\n")
    (folder / "pod.yaml").write_text(
        "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: n},"
        " spec: {containers: [{name: c, image: i}]}}"
    )
    monkeypatch.setattr(command, "overlays", lambda: [folder])
    assert command.main(["--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert "broken: Pod n/p, container 'c': image 'i' has no digest" in said.err
    assert "broken: 1 documents," in said.out
