"""The twelve networks of the paper's zoo (Table 10)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedModel:
    """A row of Table 10; `top1` is the ImageNet accuracy in [0, 1]."""

    name: str
    encoding: str
    top1: float


ET_NAS = (
    PublishedModel("ET-NAS-A", "2- 32 2-11-112-1121112", 0.6206),
    PublishedModel("ET-NAS-B", "031- 32 1-1-221-11121", 0.6692),
    PublishedModel("ET-NAS-C", "011- 32 2-211-2-111122", 0.7129),
    PublishedModel("ET-NAS-D", "031- 64 1-1-221-11121", 0.7446),
    PublishedModel("ET-NAS-E", "011- 64 21-211-121-11111121", 0.7687),
    PublishedModel("ET-NAS-F", "10001- 64 4-111-11122-1111111111111112", 0.7880),
    PublishedModel("ET-NAS-G", "211- 64 41-211-121-11111121", 0.8041),
    PublishedModel("ET-NAS-H", "10001- 64 4-111111111-211112111112-11111", 0.8092),
    PublishedModel("ET-NAS-I", "02031-a02 64 111-2111-21111111111111111111111-211", 0.8138),
    PublishedModel("ET-NAS-J", "211- 64 411-2111-21111111111111111111111-211", 0.8208),
    PublishedModel(
        "ET-NAS-K", "02031-a02 64 1121-111111111111111111111111111-21111111211111-1", 0.8242
    ),
    PublishedModel("ET-NAS-L", "23311-a02c12 64 211-2111-21111111111111111111111-211", 0.8265),
)
