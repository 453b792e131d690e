"""Figures of the paper that benchmarks report beside their own."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """A network's figures on a V100 with batches of 64 images (Tables 2 and 10).

    Args:
        top1: ImageNet accuracy in percent.
        inference_ms: time to classify a batch in ms.
        train_step_ms: time of a training step in ms.
        memory_mb: GPU memory of training in MB; None where the paper has none.
    """

    top1: float
    inference_ms: float
    train_step_ms: float
    memory_mb: float | None = None


NETWORKS = {
    "ET-NAS-A": Published(62.06, 5.3, 14.74),
    "ET-NAS-B": Published(66.92, 5.92, 15.78),
    "ET-NAS-C": Published(71.29, 8.94, 26.28, 2572),
    "ET-NAS-D": Published(74.46, 14.54, 36.3, 3184),
    "ET-NAS-E": Published(76.87, 25.34, 61.95, 4922),
    "ET-NAS-F": Published(78.8, 33.83, 93.04, 5800),
    "ET-NAS-G": Published(80.41, 53.08, 133.97, 8120),
    "ET-NAS-H": Published(80.92, 76.8, 193.4, 9140),
    "ET-NAS-I": Published(81.38, 94.6, 265.13, 10732),
    "ET-NAS-J": Published(82.08, 131.92, 370.28, 13774),
    "ET-NAS-K": Published(82.42, 185.75, 505.0),
    "ET-NAS-L": Published(82.65, 191.89, 542.52, 20556),
    "RegNetY-200MF": Published(70.4, 14.25, 62.3, 2842),
    "RegNetY-400MF": Published(74.1, 20.57, 90.61, 4222),
    "RegNetY-600MF": Published(75.5, 22.15, 90.11, 4498),
    "RegNetY-1.6GF": Published(78.0, 45.59, 170.96, 6338),
    "RegNetY-16GF": Published(80.4, 192.78, 677.68, 19258),
    "MobileNet-V3-Large": Published(75.2, 16.88, 71.65, 12318),
    "OFANet": Published(76.1, 17.81, 73.1),
    "MNasNet-A1": Published(75.2, 28.65, 125.1, 5642),
    "EfficientNet-B0": Published(77.7, 24.3, 120.29, 7778),
    "EfficientNet-B2": Published(80.4, 58.78, 277.6, 14258),
    "EfficientNet-B3": Published(81.5, 97.33, 455.86, 22368),
}


class ScratchRow(NamedTuple):
    """A cell of Table 6: accuracies in percent and training times in minutes."""

    scratch: float
    scratch_min: float
    finetuned: float
    finetuned_min: float


# Data set -> network -> cell.
TABLE_6 = {
    "Flowers102": {
        "ResNet18": ScratchRow(94.4, 11, 98.3, 7),
        "ResNet34": ScratchRow(93.8, 19, 98.5, 11),
        "ResNet50": ScratchRow(90.7, 38, 98.8, 22),
    },
    "Stanford-Car": {
        "ResNet18": ScratchRow(80.6, 14, 87.6, 8),
        "ResNet34": ScratchRow(81.9, 24, 89.6, 14),
        "ResNet50": ScratchRow(81.5, 47, 91.1, 28),
    },
    "CUB-Birds": {
        "ResNet18": ScratchRow(51.6, 11, 69.2, 6),
        "ResNet34": ScratchRow(53.6, 18, 71.9, 10),
        "ResNet50": ScratchRow(44.6, 35, 74.9, 21),
    },
    "MIT67": {
        "ResNet18": ScratchRow(67.8, 22, 76.4, 13),
        "ResNet34": ScratchRow(69.2, 37, 76.9, 21),
        "ResNet50": ScratchRow(66.0, 73, 78.1, 43),
    },
    "Stanford-Dog": {
        "ResNet18": ScratchRow(60.6, 21, 69.7, 12),
        "ResNet34": ScratchRow(62.6, 35, 73.3, 20),
        "ResNet50": ScratchRow(55.2, 70, 75.0, 41),
    },
    "Caltech101": {
        "ResNet18": ScratchRow(82.5, 12, 90.8, 7),
        "ResNet34": ScratchRow(78.1, 20, 91.8, 12),
        "ResNet50": ScratchRow(75.7, 40, 91.8, 23),
    },
}


class Optimum(NamedTuple):
    """A row of Table 7: the best setting of ResNet50, and its accuracy in percent."""

    data: str
    lr: float
    frozen_stages: int
    accuracy: float


TABLE_7 = (
    Optimum("Flowers102", 0.01, 0, 99.3),
    Optimum("Stanford-Car", 0.1, 1, 91.8),
    Optimum("CUB-Birds", 0.01, 2, 81.3),
    Optimum("MIT67", 0.01, -1, 80.8),
    Optimum("Stanford-Dog", 0.01, 3, 83.7),
    Optimum("Caltech101", 0.001, -1, 96.4),
    Optimum("Caltech256", 0.01, 3, 85.6),
)


class FinalTable(NamedTuple):
    """Table 4: a row is a method, its cost in trainings, and accuracies in percent."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]


TABLE_4 = FinalTable(
    ("Aircrafts", "MIT67", "Sf-Car", "Sf-Dog"),
    (
        ("Random Search (HPO only)", 40, 63.07, 75.6, 67.47, 86.25),
        ("BOHB (HPO only)", 40, 72.7, 77.61, 70.94, 87.41),
        ("Random Search", 40, 81.07, 79.93, 88.99, 89.06),
        ("BOHB", 40, 82.34, 79.85, 89.01, 89.49),
        ("Our Zoo with Random Search", 40, 83.71, 80.97, 87.84, 92.75),
        ("Our Zoo with BOHB", 40, 84.67, 82.34, 89.03, 93.74),
        ("Our OA only", 1, 81.22, 79.33, 84.56, 89.7),
        ("Our Zoo with Fixed MLP (Offline)", 1, 81.31, 75.97, 88.81, 88.58),
        ("Our final NASOA", 1, 82.54, 80.3, 88.2, 92.3),
    ),
)

# Table 5: method, whether it has the zoo and the online choice, cost, mean accuracy in percent.
TABLE_5 = (
    ("BOHB", False, False, 40, 77.2),
    ("+ Our Zoo", True, False, 40, 87.5),
    ("Our OA", False, True, 1, 83.7),
    ("NASOA", True, True, 1, 85.8),
)
