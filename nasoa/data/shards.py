"""Read image files in shards: tar archives in the WebDataset layout, which are not unpacked.

The files of a sample have the same name up to the first dot: `000017.jpg`, and `000017.cls` with
the number or name of its class. `classes.txt` beside the shards lists the names of numbered
classes, one per line. The split of a shard is that in its name (`train-000000.tar`) or else, if
there are shards in several folders, that in the name of its folder (`val/000000.tar`).
"""

from __future__ import annotations

import io
import re
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nasoa.config import DataConfig
from nasoa.data.archive_guard import ArchiveGuard
from nasoa.data.decode import open_image
from nasoa.data.file_kinds import is_junk
from nasoa.data.groups import group_of
from nasoa.data.shard_paths import CLASSES_FILE, find_shards
from nasoa.data.source import ImageRecord
from nasoa.data.split_names import SPLITS
from nasoa.data.stamps import OpenedFiles
from nasoa.data.tar_members import tar_members
from nasoa.errors import DataError
from nasoa.home_path import expanded
from nasoa.scratch import ScratchFolder
from nasoa.whole_number import whole_number

LABEL = ".cls"
_LONGEST_LABEL = 1000


@dataclass(frozen=True, slots=True)
class _Place:
    """The position of the bytes of an image."""

    shard: int
    offset: int
    size: int


class ShardSource:
    """Images in shards; see `ImageSource`.

    Args:
        pattern: a folder of shards, or a path with braces; see `find_shards`.
        data: DATA, for messages.
        config: limits on the content of a shard.
        scratch: temporary folder that holds the shards, to be kept while they are read.

    Raises:
        DataError: there are no shards, a shard is incomplete, or an image has no class; the message
            names the shard.
    """

    def __init__(
        self, pattern: str, data: str, config: DataConfig, scratch: ScratchFolder | None = None
    ) -> None:
        self._scratch = scratch
        self._shards = find_shards(pattern, data)
        self._opened = OpenedFiles(self._shards)
        folder = Path(expanded(pattern))
        root = folder if folder.is_dir() else self._shards[0].parent
        names = _class_names(root)
        # If all shards are in one folder, its name says nothing about their splits.
        in_folders = len({path.parent for path in self._shards}) > 1
        found: list[tuple[ImageRecord, _Place]] = []
        for number, path in enumerate(self._shards):
            split = _split(path.stem) or (_split(path.parent.name) if in_folders else "")
            guard = ArchiveGuard(f"shard {path}", config)
            found += _read_shard(path, number, split, names, guard)
        self.name = root.resolve().name
        self.records: Sequence[ImageRecord] = [record for record, _place in found]
        self._places = [place for _record, place in found]
        self.class_names: Sequence[str] = _in_order({r.class_name for r in self.records}, names)

    def shard(self, index: int) -> int:
        """Return the number of the shard that contains an image."""
        return self._places[index].shard

    def stamp(self) -> str | None:
        """See `ImageSource`."""
        if self._scratch is not None:  # a temporary copy is new each time
            return None
        return self._opened.stamp()

    def header(self, index: int) -> Image.Image:
        """See `ImageSource`."""
        return self.open(index)

    def open(self, index: int) -> Image.Image:
        """See `ImageSource`."""
        place = self._places[index]
        with self._shards[place.shard].open("rb") as file:
            file.seek(place.offset)
            return open_image(io.BytesIO(file.read(place.size)))


def _read_shard(
    path: Path, number: int, split: str, names: Sequence[str], guard: ArchiveGuard
) -> list[tuple[ImageRecord, _Place]]:
    """Return the images of a shard with their classes and positions, in the order of the shard."""
    images: dict[str, tarfile.TarInfo] = {}
    labels: dict[str, str] = {}
    try:
        for member in tar_members(path, guard):
            if not member.isfile() or is_junk(member.name.removeprefix("./")):
                continue
            key, suffix = _taken_apart(member.name)
            if suffix == LABEL:
                labels[key] = _label(member, path)
            elif suffix in Image.registered_extensions():
                images[key] = member
    except OSError as error:
        raise DataError(f"shard {path} cannot be read: {error.strerror or error}") from None
    except (tarfile.TarError, EOFError) as error:
        problem = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(
            f"shard {path} is not a complete tar archive ({problem}): copy it again, or remove it"
        ) from None
    return [
        (
            _record(path, split, member.name, _class(path, key, member.name, labels, names)),
            _Place(number, member.offset_data, member.size),
        )
        for key, member in images.items()
    ]


def _taken_apart(name: str) -> tuple[str, str]:
    """Split `a/b.c.jpg` into `a/b` and `.jpg`: WebDataset's key ends at the first dot."""
    folder, slash, file = name.removeprefix("./").rpartition("/")
    key, _, rest = file.partition(".")
    return folder + slash + key, "." + rest.rpartition(".")[2].lower()


def _label(member: tarfile.TarInfo, path: Path) -> str:
    if member.size > _LONGEST_LABEL:
        raise DataError(
            f"shard {path}: {member.name!r} has {member.size} bytes, expected the number or name "
            "of a class"
        )
    with path.open("rb") as file:
        file.seek(member.offset_data)
        raw = file.read(member.size)
    try:
        return sys.intern(raw.decode().strip())  # all images of a class share one string
    except UnicodeDecodeError:
        raise DataError(f"shard {path}: {member.name!r} is not text in UTF-8") from None


def _class(path: Path, key: str, name: str, labels: dict[str, str], names: Sequence[str]) -> str:
    label = labels.get(key, "")
    if not label:
        raise DataError(
            f"shard {path} has no class for {name!r}: expected {key + LABEL!r} beside it, with the "
            "number or name of the class"
        )
    return _name(label, names, f"shard {path}: {key + LABEL!r}") if names else label


def _record(path: Path, split: str, name: str, class_name: str) -> ImageRecord:
    file = name.rpartition("/")[2]
    return ImageRecord(f"{path.name}/{name}", class_name, split, group_of(file))


def _name(label: str, names: Sequence[str], where: str) -> str:
    """Return the class of a label: a number, which is an index into `names`, or one of `names`."""
    number = whole_number(label, len(names) - 1)
    if number is not None:
        return names[number]
    if label.isdecimal() or label not in names:
        raise DataError(
            f"{where} contains {label!r}, expected a number below {len(names)} or a name in "
            f"{CLASSES_FILE}"
        )
    return label


def _split(name: str) -> str:
    """Return the split in the name of a file or folder; "" if there is none."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((SPLITS[word] for word in words if word in SPLITS), "")


def _class_names(root: Path) -> Sequence[str]:
    file = root / CLASSES_FILE
    if not file.is_file():
        return ()
    try:
        names = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise DataError(f"{file} is not text in UTF-8: expected a class name per line") from None
    if len(set(names)) < len(names) or "" in names:
        raise DataError(f"{file}: expected a different name on each line")
    return tuple(names)


def _in_order(found: set[str], names: Sequence[str]) -> Sequence[str]:
    """Return class names in the order of `classes.txt` or, without it, by number or by name."""
    if names:
        return [name for name in names if name in found]
    if all(name.isdecimal() for name in found):
        return sorted(found, key=int)
    return sorted(found)
