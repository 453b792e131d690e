"""Exported models answer as the saved ones, whatever their network is."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nasoa.arch import StagedNetwork
from nasoa.errors import InvalidInput
from nasoa.online.tuning.exported_model import (
    CARD_KEY,
    ONNX,
    TORCHSCRIPT,
    ExportedModel,
    export,
    metadata,
    run_exported,
)
from nasoa.online.tuning.saved_model import Classifier, ModelCard, from_files
from nasoa.training.precision import precision_for
from tests.random_model import random_model

SIDE = 32


def saved(mirror_safe: bool) -> tuple[StagedNetwork, ModelCard]:
    files, card = random_model("abc", resolution=SIDE, mirror_safe=mirror_safe)
    network, _card = from_files(files.__getitem__)
    for module in network.modules():  # statistics that are not those of a fresh network
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
    return network.eval(), card


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
    told = _metadata(content, form)
    assert "32 x 32" in told["preprocessing"]
    assert "before that" not in told["preprocessing"]
    assert told["inside"] == {
        "divided_by": 255,
        "mean": [0.5, 0.4, 0.3],
        "std": [0.2, 0.3, 0.4],
        "mirrored": True,
    }


def test_images_are_first_reduced_to_what_training_images_were() -> None:
    _network, card = saved(mirror_safe=False)
    told = metadata(replace(card, stored_resolution=16))
    assert told["read_resolution"] == 16
    assert "before that, to 16 x 16 pixels" in str(told["preprocessing"])


def _metadata(content: bytes, form: str) -> dict[str, Any]:
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
