"""Import torchvision without torch's compiler.

The module `torchvision.ops.roi_align` imports one function from torch's compiler. With it come the
compiler and sympy: most of the two seconds that importing torchvision takes, which would be part of
a user's time limit. Networks that classify images never call that function.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

COMPILER = ("torch._dynamo", "torch._dynamo.utils")
NEEDED_LATER = "is_compile_supported"


def import_torchvision(module: str) -> ModuleType:
    """Return a module of torchvision, for example `torchvision.models`.

    Raises:
        ImportError: torchvision is not installed.
        RuntimeError: it was built for another version of torch.
    """
    if COMPILER[0] in sys.modules:
        return importlib.import_module(module)
    stand_ins = {name: _ImportedLater(name) for name in COMPILER}
    sys.modules.update(stand_ins)
    try:
        return importlib.import_module(module)
    finally:
        for stand_in in stand_ins.values():
            stand_in.remove()


class _ImportedLater(ModuleType):
    """Stands in for a module of the compiler, which is imported if anything of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name == NEEDED_LATER:
            return self._call_later
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self._imported(), name)

    def _call_later(self, *arguments: object) -> Any:
        return getattr(self._imported(), NEEDED_LATER)(*arguments)

    def _imported(self) -> ModuleType:
        for name in COMPILER:
            found = sys.modules.get(name)
            if isinstance(found, _ImportedLater):
                found.remove()
        return importlib.import_module(self.__name__)

    def remove(self) -> None:
        """Let the next import of this name find the real module."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
