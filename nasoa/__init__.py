"""Search for networks offline; choose one, fine-tune it and learn within a time limit online.

The names in `__all__` come from `nasoa.api`, which is imported when one of them is first accessed,
so that `import nasoa` stays fast.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasoa.api import FineTuneResult, ImageClassifier, Model, finetune, load, recommend

__version__ = "0.1.0"
__all__ = ["FineTuneResult", "ImageClassifier", "Model", "finetune", "load", "recommend"]


def __getattr__(name: str) -> Any:
    """Return a name of `nasoa.api`, which is imported on first access."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nasoa import api  # noqa: PLC0415

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
