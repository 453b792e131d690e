"""Series of torchvision networks."""

from __future__ import annotations

import pytest

from nasoa.errors import InvalidInput, UnknownName
from nasoa.zoo import torchvision_models
from nasoa.zoo.series import TORCHVISION_SERIES, models_of


def test_torchvision_has_every_model_with_imagenet_weights_and_a_hash() -> None:
    for name in models_of(",".join(TORCHVISION_SERIES)):
        known = torchvision_models.pretraining(name, "")
        assert known.source == "ImageNet"
        assert known.accuracy is not None
        assert 0.6 < known.accuracy < 0.9
        url = torchvision_models._weights(name, "").url
        assert len(bytes.fromhex(url.rpartition("-")[2].removesuffix(".pth"))) == 4


def test_series_are_chosen_by_name() -> None:
    small = ["mobilenet_v3_small", "mobilenet_v3_large"]
    assert models_of("mobilenetv3, mobilenetv3") == small
    assert models_of("mobilenetv3,resnet")[:3] == [*small, "resnet18"]
    with pytest.raises(UnknownName, match="unknown series 'resnets': did you mean resnet"):
        models_of("resnets")
    with pytest.raises(InvalidInput, match="expected series like resnet,regnet"):
        models_of(" ,")
