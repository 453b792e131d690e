"""Check the entries of an archive, which may come from anyone."""

from __future__ import annotations

import re

from nasoa.config import DataConfig
from nasoa.errors import DataError

_DRIVE = re.compile(r"[A-Za-z]:")


class ArchiveGuard:
    """Counts the entries of an archive, and refuses dangerous or oversized ones.

    Nothing is ever unpacked to the names in an archive. Still, a name that would leave the folder
    that it is unpacked in shows that the archive is not what the user expects.

    Args:
        archive: the archive, for messages.
        config: limits.
    """

    def __init__(self, archive: str, config: DataConfig) -> None:
        self._archive = archive
        self._config = config
        self._entries = 0
        self._bytes = 0

    def check(self, name: str, size: int, *, is_link: bool) -> None:
        """Check the next entry and count it.

        Args:
            name: path of the entry in the archive.
            size: unpacked size in bytes.
            is_link: whether the entry is neither a file nor a folder.

        Raises:
            DataError: the entry is a link, has an absolute path or one with `..`, or has a negative
                size, or the files are too many or too large.
            TimeLimitError: the time limit cannot be met (`DataConfig.check_time`).
        """
        self.check_time()
        if is_link:
            raise DataError(
                f"{self._archive} holds a link, {name!r}: expected files and folders only"
            )
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or _DRIVE.match(name):
            raise DataError(
                f"{self._archive} holds the path {name!r}: expected relative paths without '..'"
            )
        if size < 0:
            raise DataError(
                f"{name!r} in {self._archive} claims {size} bytes: expected 0 or more; download "
                "the archive again"
            )
        self._entries += 1
        self._bytes += size
        if self._entries > self._config.max_entries:
            raise DataError(
                f"{self._archive} holds more than {self._config.max_entries} files: "
                "expected fewer; unpack it and use the folder"
            )
        if size > self._config.max_file_bytes:
            raise self._too_large(f"{name!r} in it", self._config.max_file_bytes)
        self.check_total(self._bytes)

    def check_time(self, share: float = 0.0, since_s: float = 0.0) -> None:
        """See `nasoa.config.CheckTime`."""
        self._config.check_time(share, since_s)

    def check_total(self, num_bytes: int) -> None:
        """Check the unpacked size of the archive.

        Raises:
            DataError: it is above `DataConfig.max_archive_bytes`.
        """
        if num_bytes > self._config.max_archive_bytes:
            raise self._too_large("it", self._config.max_archive_bytes)

    def _too_large(self, what: str, limit: int) -> DataError:
        return DataError(
            f"{self._archive} is too large: {what} unpacks to more than {limit} bytes; "
            "unpack it and use the folder"
        )
