"""The zoo: pretrained models that fine-tuning starts from, and how long their steps take."""

from __future__ import annotations

from typing import Any

__all__ = ["load_published"]


def __getattr__(name: str) -> Any:
    """`load_published`, imported when it is asked for: it needs torch, which takes a second."""
    if name == "load_published":
        from nasoa.zoo.published import load_published  # noqa: PLC0415

        return load_published
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
