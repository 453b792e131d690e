"""Search a zoo of networks offline; choose, fine-tune and learn inside a time limit online.

`nasoa.finetune`, `nasoa.recommend`, `nasoa.load` and `nasoa.ImageClassifier` are those of
`nasoa.api`; what they need is imported when one of them is first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasoa.api import FineTuneResult, ImageClassifier, Model, finetune, load, recommend

__version__ = "0.1.0"
__all__ = ["FineTuneResult", "ImageClassifier", "Model", "finetune", "load", "recommend"]


def __getattr__(name: str) -> Any:
    """Import the Python interface when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nasoa import api  # noqa: PLC0415

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
