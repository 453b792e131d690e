"""Classify files of a data set by their names: images, companion files, and system files.

Only its content decides whether a file is an image. Names serve to leave out files that are clearly
not meant as images: `0.xml` beside `0.png`, a README, `Thumbs.db`.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Sequence

# HEIF is included although Pillow cannot decode it: an error is better than missing images.
IMAGE_SUFFIXES = frozenset(
    (
        *(".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".j2k", ".jfif", ".jp2"),
        *(".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff"),
        ".webp",
    )
)
# Files and folders of operating systems and network drives; hidden ones begin with a dot.
_JUNK = frozenset(
    (
        *("#recycle", "$recycle.bin", "@eadir", "@recycle", "__macosx", "__pycache__"),
        *("desktop.ini", "ehthumbs.db", "icon\r", "lost+found", "system volume information"),
        "thumbs.db",
    )
)
# Annotations, tables, texts, programs, and files that cameras write beside photographs.
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
# Masks of images: `0_mask.png` beside `0.png`, and folders like `masks` beside `images`.
_MASK = re.compile(r"(.+?)[ _-](?:masks?|seg|segmentation|superpixels|trimap|gt)(?:[_-]?\d+)?")
_MASK_FOLDERS = frozenset(
    (
        *("annotation", "annotations", "ground_truth", "groundtruth", "gt", "label", "labels"),
        *("mask", "masks", "segmentation", "segmentations", "trimap", "trimaps"),
    )
)
_MOST_FOLDERS = 30  # above a file, in which images and masks are looked for
_IMAGE_FOLDERS = frozenset(("image", "images", "img", "imgs", "jpegimages", "photos", "rgb"))


def is_junk(path: str) -> bool:
    """Return whether a file or one of its folders is hidden or belongs to an operating system."""
    return any(
        part.lower() in _JUNK or (part.startswith(".") and part != ".") for part in path.split("/")
    )


def without_companions(paths: Sequence[str]) -> tuple[list[str], Counter[str]]:
    """Leave out files that are not meant as images.

    These are files with the suffix of a text, a table, an annotation or the like, any file that is
    named after an image file beside it (`0.pts` beside `0.png`, `0.jpg.cat` beside `0.jpg`), and
    masks (`0_mask.png` beside `0.png`, `masks/0.png` beside `images/0.jpg`). If no file would
    remain, nothing is left out.

    Args:
        paths: paths with `/` between parts.

    Returns:
        The remaining paths in the same order, and the number of files left out by suffix.
    """
    images = {path for path in paths if suffix_of(path) in IMAGE_SUFFIXES}
    stems = {posixpath.splitext(path)[0] for path in images}
    image_folders = {parent for path in images for parent in _parents(path, _IMAGE_FOLDERS)}
    left_out: Counter[str] = Counter()
    kept = []
    for path in paths:
        suffix = suffix_of(path)
        other = path not in images and (suffix in _OTHER_SUFFIXES or _belongs(path, images, stems))
        if other or _is_mask(path, stems, image_folders):
            left_out[suffix] += 1
        else:
            kept.append(path)
    return (kept, left_out) if kept else (list(paths), Counter())


def suffix_of(path: str) -> str:
    """Return the suffix of a path in lower case, with its dot."""
    return posixpath.splitext(path)[1].lower()


def _is_mask(path: str, stems: set[str], image_folders: set[str]) -> bool:
    folder, name = posixpath.split(posixpath.splitext(path)[0])
    named = _MASK.fullmatch(name)
    if named and posixpath.join(folder, named[1]) in stems:
        return True
    return any(parent in image_folders for parent in _parents(path, _MASK_FOLDERS))


def _parents(path: str, names: Collection[str]) -> list[str]:
    """Return the parents of the folders of a path with any of these names in lower case."""
    parts = path.split("/", _MOST_FOLDERS)[:-1]
    return ["/".join(parts[:place]) for place, part in enumerate(parts) if part.lower() in names]


def _belongs(path: str, images: set[str], stems: set[str]) -> bool:
    """Return whether a file is named after an image; `0.1` beside `0.png` is one of its own."""
    suffix = suffix_of(path)
    if not suffix or suffix[1:].isdigit():
        return False
    stem = posixpath.splitext(path)[0]
    return stem in stems or stem in images
