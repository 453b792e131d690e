"""Gzip objects of a store, unpacked no further than what can be meant.

A few bytes may unpack to any size.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator

from nasoa.errors import CorruptRecord

# An experience of 50,000 classes with long names has 13 MB, and no line has more.
MOST_LINE_BYTES = 32 * 1024**2


def unpacked_lines(raw: bytes, key: str) -> Iterator[bytes]:
    """The lines of an object, one after another, without their ends.

    Args:
        raw: gzip of lines.
        key: of the object; named in the error.

    Raises:
        CorruptRecord: it is damaged, or a line has more than `MOST_LINE_BYTES`.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            while line := file.readline(MOST_LINE_BYTES + 1):
                if len(line) > MOST_LINE_BYTES:
                    raise CorruptRecord(key, f"a line has more than {MOST_LINE_BYTES} bytes")
                yield line.rstrip(b"\r\n")
    except (OSError, EOFError, zlib.error) as error:
        raise CorruptRecord(key, str(error) or type(error).__name__) from None


def unpacked(raw: bytes, key: str, most_bytes: int) -> bytes:
    """The content of an object.

    Args:
        raw: gzip of it.
        key: of the object; named in the error.
        most_bytes: that it may have.

    Raises:
        CorruptRecord: it is damaged, or has more.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            content = file.read(most_bytes + 1)
            if len(content) > most_bytes:
                raise CorruptRecord(key, f"it has more than {most_bytes} bytes when unpacked")
            return content
    except (OSError, EOFError, zlib.error) as error:
        raise CorruptRecord(key, str(error) or type(error).__name__) from None
