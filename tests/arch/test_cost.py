"""Costs of networks outside the architecture language, compared with torchvision's figures."""

from __future__ import annotations

import pytest
from torchvision import models

from nasoa.arch import measure_cost


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("resnet18", 0.005),
        ("regnet_y_400mf", 0.005),
        ("efficientnet_b0", 0.01),
        ("mobilenet_v3_small", 0.01),
        ("convnext_tiny", 0.005),
        # The products of attention, 4 % here, are not counted.
        ("vit_b_16", 0.05),
    ],
)
def test_published_parameters_and_macs(name: str, tolerance: float) -> None:
    network = models.get_model(name, weights=None)
    published = models.get_model_weights(name).DEFAULT.meta
    cost = measure_cost(network, 224)
    assert cost.params == published["num_params"]
    assert cost.macs / 1e9 == pytest.approx(published["_ops"], rel=tolerance)
