"""The zoo: pretrained models to start fine-tuning from, and the time their steps take."""

from __future__ import annotations

from typing import Any

__all__ = ["load_published"]


def __getattr__(name: str) -> Any:
    """Import `load_published` on first use, because torch takes a second to import."""
    if name == "load_published":
        from nasoa.zoo.published import load_published  # noqa: PLC0415

        return load_published
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
