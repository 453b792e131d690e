"""Keep the libraries that decode images from writing to standard error."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache

from PIL import _imaging


@cache
def silence_libtiff() -> None:
    """Stop libtiff from printing what is wrong with a file; Pillow raises an error for it anyway.

    Pillow has no setting for this, but its decoder loads libtiff as a shared library, whose
    functions are found through it. Where libtiff is linked in another way, it keeps printing.
    """
    decoder = ctypes.CDLL(_imaging.__file__)
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        with suppress(AttributeError):
            set_handler = getattr(decoder, name)
            set_handler.restype = ctypes.c_void_p
            set_handler(None)
