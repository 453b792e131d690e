"""Exported models answer as the saved ones, whatever their network is."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.errors import InvalidInput
from nasoa.online.tuning.exported_model import (
    CARD_KEY,
    ONNX,
    TORCHSCRIPT,
    ExportedModel,
    export,
    run_exported,
)
from nasoa.online.tuning.saved_model import Classifier, ModelCard
from nasoa.records import HEAD_ONLY, Regime
from nasoa.training.precision import precision_for
from nasoa.zoo.networks import describe

SIDE = 32


def saved(mirror_safe: bool) -> tuple[StagedNetwork, ModelCard]:
    torch.manual_seed(0)
    network = build_network(parse("020- 8 1-2-1-1"), 3).eval()
    for module in network.modules():  # statistics that are not those of a fresh network
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
    entry = describe(
        "tiny",
        network,
        encoding="020- 8 1-2-1-1",
        family="et-nas",
        resolution=SIDE,
        num_classes=3,
        source="objects",
        source_accuracy=0.3,
        mean=(0.4, 0.5, 0.6),
        std=(0.2, 0.25, 0.3),
    )
    regime = Regime(
        model="tiny",
        lr=0.1,
        frozen_stages=HEAD_ONLY,
        iterations=3,
        batch_size=16,
        resolution=SIDE,
        lr_schedule="cosine",
    )
    card = ModelCard(
        task_id="t",
        dataset="shapes",
        class_names=("a", "b", "c"),
        entry=entry,
        regime=regime,
        mirror_safe=mirror_safe,
        accuracy=0.9,
    )
    return network, card


@pytest.mark.parametrize("mirror_safe", [True, False])
def test_the_exported_network_is_the_saved_one(mirror_safe: bool) -> None:
    network, card = saved(mirror_safe)
    images = np.random.default_rng(0).integers(0, 256, (5, 3, SIDE, SIDE), dtype=np.uint8)
    exact = replace(precision_for(network), autocast_dtype=None)
    classifier = Classifier(network, card, exact)
    expected = classifier.probabilities(torch.from_numpy(images)).numpy()
    found = ExportedModel(network, card)(torch.from_numpy(images)).detach().numpy()
    assert found == pytest.approx(expected, abs=1e-5)
    if not mirror_safe:
        mirrored = images[..., ::-1].copy()
        assert not np.allclose(found, classifier.probabilities(torch.from_numpy(mirrored)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.parametrize("form", [ONNX, TORCHSCRIPT])
def test_another_runtime_gives_the_same_answers_for_any_number_of_images(form: str) -> None:
    if form == ONNX:
        pytest.importorskip("onnxscript")
    network, card = saved(mirror_safe=True)
    content = export(network, card, form)
    rng = np.random.default_rng(0)
    for count in (1, 2, 7):
        images = rng.integers(0, 256, (count, 3, SIDE, SIDE), dtype=np.uint8)
        expected = ExportedModel(network, card)(torch.from_numpy(images)).detach().numpy()
        assert run_exported(content, form, images) == pytest.approx(expected, abs=1e-5)
    assert _metadata(content, form)["class_names"] == ["a", "b", "c"]
    assert "32 x 32" in _metadata(content, form)["preprocessing"]


def _metadata(content: bytes, form: str) -> dict[str, str]:
    if form == ONNX:
        import onnx

        props = onnx.load_from_string(content).metadata_props
        return json.loads({prop.key: prop.value for prop in props}[CARD_KEY])  # type: ignore[no-any-return]
    kept = {CARD_KEY: ""}
    torch.jit.load(io.BytesIO(content), _extra_files=kept)
    return json.loads(kept[CARD_KEY])  # type: ignore[no-any-return]


def test_another_format_is_refused() -> None:
    with pytest.raises(InvalidInput, match="onnx or torchscript, got 'tflite'"):
        export(*saved(mirror_safe=True), "tflite")
