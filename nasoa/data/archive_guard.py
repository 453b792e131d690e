"""What an archive must not hold, whoever made it."""

from __future__ import annotations

import re

from nasoa.config import DataConfig
from nasoa.errors import DataError

_DRIVE = re.compile(r"[A-Za-z]:")


class ArchiveGuard:
    """Counts the entries of one archive, and refuses what is dangerous or out of proportion.

    Nothing is ever unpacked to the names in an archive; a name that would leave the folder it is
    unpacked in still shows that the archive is not what the user takes it for.
    """

    def __init__(self, archive: str, config: DataConfig) -> None:
        self._archive = archive
        self._config = config
        self._entries = 0
        self._bytes = 0

    def check(self, name: str, size: int, *, is_link: bool) -> None:
        """Take the next entry into account.

        Raises:
            DataError: a link, an absolute path or one with `..`, a negative size, or too many or
                too large files.
            TimeLimitError: the time of `config` is over.
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
                f"{name!r} in {self._archive} claims {size} bytes: expected 0 or more; get the "
                "archive again"
            )
        self._entries += 1
        self._bytes += size
        if self._entries > self._config.max_entries:
            raise DataError(
                f"{self._archive} holds more than {self._config.max_entries} files: "
                "expected fewer; unpack it and give the folder"
            )
        if size > self._config.max_file_bytes:
            raise self._too_large(f"{name!r} in it", self._config.max_file_bytes)
        self.check_total(self._bytes)

    def check_time(self, share: float = 0.0, since_s: float = 0.0) -> None:
        """See `nasoa.config.CheckTime`."""
        self._config.check_time(share, since_s)

    def check_total(self, num_bytes: int) -> None:
        """Refuse an archive that unpacks to more than is allowed."""
        if num_bytes > self._config.max_archive_bytes:
            raise self._too_large("it", self._config.max_archive_bytes)

    def _too_large(self, what: str, limit: int) -> DataError:
        return DataError(
            f"{self._archive} is too large: {what} unpacks to more than {limit} bytes; "
            "unpack it and give the folder"
        )
