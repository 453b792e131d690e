"""Damaged images are refused by an error, and by nothing that a library prints."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasoa.config import DataConfig
from nasoa.data.decode import UnreadableImage, image_warnings, read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def damaged(form: str, **options: object) -> bytes:
    """Return an image file whose pixels are not what its header says."""
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, form, **options)
    raw = bytearray(buffer.getvalue())
    middle = len(raw) // 2
    raw[middle - 200 : middle + 200] = bytes(
        0xFF - byte for byte in raw[middle - 200 : middle + 200]
    )
    return bytes(raw)


# libtiff prints what is wrong with each of these, unless it is told not to.
TIFFS = {
    compression: damaged("TIFF", compression=compression)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma", "jpeg")
}


@pytest.mark.parametrize(
    ("suffix", "raw"),
    [
        *((".tif", raw) for raw in TIFFS.values()),
        (".jpg", damaged("JPEG")),
        (".png", damaged("PNG")),
        (".webp", damaged("WEBP")),
        (".jp2", damaged("JPEG2000")),
        (".avif", damaged("AVIF")),
    ],
)
def test_libraries_print_nothing(
    tmp_path: Path, suffix: str, raw: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"0{suffix}"
    path.write_bytes(raw)
    with image_warnings(), suppress(UnreadableImage):
        read_image(str(path), 32, DataConfig())
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_command_prints_its_own_lines_alone(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(12):
            Image.fromarray(PIXELS).save(tmp_path / "data" / name / f"{i}.png")
    (tmp_path / "data" / "a" / "9.tif").write_bytes(TIFFS["tiff_lzw"])
    done = subprocess.run(
        [sys.executable, "-m", "nasoa", "task", "describe", str(tmp_path / "data"), "--store",
         str(tmp_path / "store"), "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if "9.tif" not in line] == []
    assert "9.tif" in done.stderr
