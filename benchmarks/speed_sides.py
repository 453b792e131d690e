"""The cases of `benchmarks.speed`: networks, frozen depths, and the sides that are compared."""

from __future__ import annotations

from nasoa.records import HEAD_ONLY

NETWORKS = ("ET-NAS-C", "resnet18", "regnet_y_400mf", "mobilenet_v3_small", "efficientnet-lite0")
DEPTHS = (-1, 0, 1, 2, 3, HEAD_ONLY)
PLAIN, BFLOAT16 = "plain", "plain bfloat16"
COLD, WARM, FEATURES = "nasoa cold", "nasoa warm", "nasoa features"
SIDES = (PLAIN, BFLOAT16, COLD, WARM, FEATURES)
