"""What files of a data set are, by their names: images, companions, and what systems leave.

Whether a file is an image is decided by its content. A name only tells what certainly is not meant
as one: `0.xml` beside `0.png`, a README, `Thumbs.db`.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Sequence

# HEIF is among them although Pillow cannot decode it: an error is better than an image left out.
IMAGE_SUFFIXES = frozenset(
    (
        *(".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".j2k", ".jfif", ".jp2"),
        *(".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff"),
        ".webp",
    )
)
# Folders and files that operating systems and network drives leave; hidden ones go by their dot.
_JUNK = frozenset(
    (
        *("#recycle", "$recycle.bin", "@eadir", "@recycle", "__macosx", "__pycache__"),
        *("desktop.ini", "ehthumbs.db", "icon\r", "lost+found", "system volume information"),
        "thumbs.db",
    )
)
# Annotations, tables, texts, programs, and what cameras write beside a photograph.
_OTHER_SUFFIXES = frozenset(
    (
        *(".7z", ".aae", ".arw", ".avi", ".bak", ".cfg", ".cr2", ".csv", ".db", ".dng", ".doc"),
        *(".docx", ".geojson", ".gz", ".h5", ".hdf5", ".htm", ".html", ".ini", ".ipynb", ".json"),
        *(".jsonl", ".lnk", ".log", ".m4a", ".mat", ".md", ".mov", ".mp3", ".mp4", ".names"),
        *(".nef", ".npy", ".npz", ".ods", ".pdf", ".pickle", ".pkl", ".pts", ".py", ".rar", ".rst"),
        *(".rtf", ".sh", ".srt", ".tar", ".tfrecord", ".thm", ".toml", ".tsv", ".txt", ".url"),
        *(".wav", ".xls", ".xlsx", ".xml", ".xmp", ".yaml", ".yml", ".zip"),
    )
)


def is_junk(path: str) -> bool:
    """Return whether a path is what an operating system leaves behind, or hidden."""
    return any(
        part.lower() in _JUNK or (part.startswith(".") and part != ".") for part in path.split("/")
    )


def without_companions(paths: Sequence[str]) -> tuple[list[str], Counter[str]]:
    """Leave out what is not meant as an image.

    That is a file with the suffix of a text, a table, an annotation and the like; and any file,
    whatever its suffix, that has the name of an image file beside it: `0.pts` beside `0.png`,
    `0.jpg.cat` beside `0.jpg`. Where nothing else is there, nothing is left out.

    Args:
        paths: with `/` between parts.

    Returns:
        The other paths, in their order, and how many files of which suffix were left out.
    """
    images = {path for path in paths if suffix_of(path) in IMAGE_SUFFIXES}
    stems = {posixpath.splitext(path)[0] for path in images}
    left_out: Counter[str] = Counter()
    kept = []
    for path in paths:
        suffix = suffix_of(path)
        if path not in images and (suffix in _OTHER_SUFFIXES or _belongs(path, images, stems)):
            left_out[suffix] += 1
        else:
            kept.append(path)
    return (kept, left_out) if kept else (list(paths), Counter())


def suffix_of(path: str) -> str:
    """Return the suffix of a path in lower case, with its dot."""
    return posixpath.splitext(path)[1].lower()


def _belongs(path: str, images: set[str], stems: set[str]) -> bool:
    """Whether an image has the file's name; `0.1` is another image rather than one of `0.png`."""
    suffix = suffix_of(path)
    if not suffix or suffix[1:].isdigit():
        return False
    stem = posixpath.splitext(path)[0]
    return stem in stems or stem in images
