"""Read an array of an .npz file, checking its header before any memory is allocated for it."""

from __future__ import annotations

import io
import math
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.data.zip_archive import Entry, read_entry
from nasoa.errors import DataError

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_array(path: Path, entry: Entry, where: str) -> NDArray[Any]:
    """Return an array of an .npz file; it is read-only.

    Args:
        path: path of the .npz file.
        entry: entry of the array.
        where: name of the array in messages.

    Raises:
        DataError: the array does not consist of plain numbers, is damaged, does not have the size
            that its header states, or is larger than half of the memory.
    """
    if 2 * entry.num_bytes > _memory_bytes():
        raise DataError(
            f"{where} has {entry.num_bytes} bytes, more than half of the memory of this machine: "
            "expected less; use a folder or shards"
        )
    try:
        content = read_entry(path, entry)
    except (zipfile.BadZipFile, EOFError, OSError, MemoryError) as error:
        problem = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{where} cannot be read: {problem}") from None
    file = io.BytesIO(content)
    try:
        shape, is_fortran, dtype = _header(file)
        shape = tuple(map(int, shape))  # NumPy takes True for a whole number here, but not below
    except Exception:  # NumPy has Python parse the header, which raises nearly anything
        raise DataError(f"{where} is not an array, or damaged: expected plain numbers") from None
    if dtype.hasobject or dtype.itemsize == 0 or dtype.shape:
        raise DataError(
            f"{where} is an array of Python objects, or damaged: expected plain numbers"
        )
    begin = file.tell()
    if math.prod(shape) * dtype.itemsize != len(content) - begin or min(shape, default=0) < 0:
        raise DataError(
            f"{where} has {len(content) - begin} bytes, but its header states {shape} values of "
            f"{dtype.itemsize} bytes: check that it was copied completely"
        )
    array = np.frombuffer(content, dtype, offset=begin)
    return array.reshape(shape, order="F" if is_fortran else "C")


def _header(file: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape, order and type that the header tells; stops after it."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of headers that Python 2 wrote, or that look like programs
        found: tuple[tuple[int, ...], bool, np.dtype[Any]]
        found = _HEADERS[np.lib.format.read_magic(file)](file)
        return found


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
