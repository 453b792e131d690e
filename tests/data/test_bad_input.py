"""Unusable data is refused in one line that says what was expected and what came."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import tarfile
import tempfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from nasoa.config import DataConfig
from nasoa.data import load_dataset
from nasoa.data.file_kinds import without_companions
from nasoa.data.open_data import open_source
from nasoa.data.zip_archive import ZipFiles
from nasoa.errors import DataError

from .conftest import MakeFolder, noise


def png(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    noise(seed).save(buffer, "PNG")
    return buffer.getvalue()


def refusal(data: str | Path, config: DataConfig | None = None) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(str(data), seed=0, config=config)
    message = str(caught.value)
    assert "\n" not in message
    return message


def write_zip(path: Path, names: list[str], mode: int = 0o644) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, png(number))
    return path


GOOD = ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"]


def test_paths(tmp_path: Path) -> None:
    assert "no file or folder" in refusal(tmp_path / "absent")
    assert "no file or folder '~no such user/x'" in refusal("~no such user/x")
    assert "DATA is empty" in refusal("")
    (tmp_path / "folder").mkdir()
    assert "is empty: expected class folders" in refusal(tmp_path / "folder")
    (tmp_path / "file.zip").touch()
    assert "file.zip is empty" in refusal(tmp_path / "file.zip")
    (tmp_path / "file.txt").write_text("text")
    assert "neither a folder nor an archive" in refusal(tmp_path / "file.txt")
    assert "cannot be read (Not a directory)" in refusal(tmp_path / "file.txt" / "x")
    assert "cannot be read (File name too long)" in refusal("x" * 5000)
    assert "cannot be read (embedded null byte)" in refusal("a\0b")


@contextmanager
def not_root() -> Iterator[None]:
    """Run the block as the user nobody if this is root, who may read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_unreadable_paths() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root, locked = Path(folder, "pets"), Path(folder, "locked")
        for unreadable in (root / "dog", locked):
            unreadable.mkdir(parents=True)
            unreadable.chmod(0)
        path = write_zip(Path(folder, "x.zip"), GOOD)
        path.chmod(0)
        with not_root():
            assert f"{root}/dog cannot be read: Permission denied" in refusal(root)
            assert "x.zip' cannot be read (Permission denied)" in refusal(path)
            assert "locked' cannot be read (Permission denied)" in refusal(locked)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is neither a folder nor a file" in refusal(tmp_path / "pipe")


def test_a_link_to_a_folder_above_is_not_walked_for_ever(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 4, "dog": 4})
    (root / "cat" / "again").symlink_to(root)
    assert len(load_dataset(str(root), seed=0).class_names) == 2


def test_classes(make_folder: MakeFolder) -> None:
    assert "one class only, 'cat'" in refusal(make_folder({"cat": 5}, "one"))
    assert "class 'dog' of" in refusal(make_folder({"cat": 5, "dog": 1}, "single"))
    two = make_folder({"cat": 40, "dog": 2}, "two")
    (two / "dog" / "1.png").write_bytes(b"")
    assert "class 'dog' of" in refusal(two)


def test_no_images(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.txt").write_text("no image")
    assert "no images in" in refusal(tmp_path)
    assert "not an image, or empty" in refusal(tmp_path)


def test_a_few_bad_files_are_skipped_and_counted(
    make_folder: MakeFolder, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder({"cat": 40, "dog": 40}, suffix=".jpg")
    whole = (root / "cat" / "0.jpg").read_bytes()
    (root / "cat" / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "cat" / "zero.jpg").write_bytes(b"")
    (root / "dog" / "notes.txt").write_text("no image")
    (root / "dog" / "garbage.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    data = load_dataset(str(root), seed=0)
    assert data.num_skipped == 3  # the notes are not meant as an image
    assert "1 files that are not meant as images left out (.txt)" in caplog.text
    assert sum(len(split) for split in (data.train, data.val, data.test)) == 80
    message = refusal(root, DataConfig(max_bad_share=0.03))
    assert "3 of 83 files in" in message
    assert "expected at most 3%" in message


@pytest.mark.parametrize("budget", [0, 2**30])
def test_an_image_over_the_pixel_limit_is_skipped_as_any_bad_one(
    make_folder: MakeFolder, budget: int, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder({"cat": 300, "dog": 3}, suffix=".bmp")
    Image.new("RGB", (60, 50)).save(root / "dog" / "1.bmp")
    config = DataConfig(max_pixels=2500, memory_budget_bytes=budget)
    assert load_dataset(str(root), seed=0, config=config).num_skipped == 1
    assert "image dog/1.bmp has 60 x 50 pixels: expected at most 2500" in caplog.text


def test_a_large_photograph_is_decoded_at_a_reduced_scale(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 3, "dog": 3}, suffix=".jpg")
    Image.new("RGB", (12_000, 9_000), "red").save(root / "dog" / "1.jpg")
    data = load_dataset(str(root), seed=0)
    assert data.num_skipped == 0
    splits = (data.train, data.val, data.test)
    images = torch.cat([split.images(torch.arange(len(split))) for split in splits])
    assert any(image[0].min() > 250 and image[1].max() < 5 for image in images)


def test_an_image_over_pillows_own_limit(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    for side in (10_000, 20_000):
        Image.new("1", (side, side)).save(root / "dog" / "1.png")
        assert "image dog/1.png has" in refusal(root)


@pytest.mark.parametrize(
    "name", ["../cat/1.png", "cat/../../1.png", "/cat/1.png", "C:/cat/1.png", "cat\\..\\1.png"]
)
def test_dangerous_paths_in_archives(tmp_path: Path, name: str) -> None:
    expected = "expected relative paths without '..'"
    assert expected in refusal(write_zip(tmp_path / "x.zip", [*GOOD, name]))
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    assert expected in refusal(tmp_path / "x.tar")


def deflated(path: Path, content: bytes) -> bytes:
    """Return a zip of five images, the fourth of which has `content`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, name in enumerate(GOOD[:3]):
            archive.writestr(name, png(number))
        archive.writestr(GOOD[3], content)
        archive.writestr("cat/3.png", png(4))
    return path.read_bytes()


def peak_bytes(function: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_file_of_a_zip_that_is_larger_than_it_claims(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    content = bytes(200_000_000)
    raw = deflated(path, content)
    assert len(raw) < 300_000
    claimed = struct.pack("<L", 20)
    raw = raw.replace(struct.pack("<L", len(content)), claimed)
    raw = raw.replace(
        struct.pack("<L", zlib.crc32(content)), struct.pack("<L", zlib.crc32(bytes(20)))
    )
    path.write_bytes(raw)
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[3].file_size == 20
    files = ZipFiles(path, "x.zip", DataConfig())

    def read() -> None:
        with pytest.raises(zipfile.BadZipFile, match="does not have the 20 bytes"):
            files.open(GOOD[3])

    assert peak_bytes(read) < 10_000_000
    assert "1 of 5 files" in refusal(path)


@given(place=st.integers(0, 10**6), flip=st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_a_damaged_zip_never_gives_other_bytes(place: int, flip: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.zip")
        raw = bytearray(deflated(path, png(3)))
        raw[place % len(raw)] ^= flip
        path.write_bytes(raw)
        try:
            files = ZipFiles(path, "x.zip", DataConfig())
        except DataError:
            return
        for number, name in enumerate(GOOD):
            if name in files.paths:
                with contextlib.suppress(zipfile.BadZipFile, OSError):
                    assert files.open(name).read() == png(number)


def test_a_size_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    content = png(3)
    raw = deflated(path, content)
    path.write_bytes(raw.replace(struct.pack("<L", len(content)), struct.pack("<L", 2**27)))
    assert "claims 134217728 bytes from" in refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_is_packed_otherwise(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", method) as archive:
        archive.writestr("cat/1.png", png())
    assert f"compressed by method {method}: expected files that are stored" in refusal(
        tmp_path / "x.zip"
    )


def test_a_zip_that_tells_of_more_files_than_it_has(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", GOOD)
    raw = bytearray(path.read_bytes())
    raw[-22 + 10] += 1
    path.write_bytes(raw)
    assert "4 files instead of the 5" in refusal(path)


@pytest.mark.parametrize(
    ("header", "shape"),
    [("{'descr': '|u1', 'fortran_order': False, 'shape': (60000, 224, 224), }", (60000, 224, 224))],
)
def test_an_array_that_claims_more_than_there_is(
    tmp_path: Path, header: str, shape: tuple[int, ...]
) -> None:
    text = header.encode() + b"\n"
    raw = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(1000)
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", raw)
        archive.writestr("y.npy", raw)
    assert peak_bytes(lambda: refusal(path)) < 50_000_000
    assert f"1000 bytes, but its header states {shape}" in refusal(path)


def test_an_array_whose_shape_is_a_truth_value(tmp_path: Path) -> None:
    """NumPy's check of headers takes it for a whole number."""
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (True, 8, 8), }\n"
    raw = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(64)
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", raw)
        archive.writestr("y.npy", raw)
    assert "y of" in refusal(path)


def test_a_path_of_ten_thousand_folders_takes_little_memory() -> None:
    deep = "masks/" * 10_000 + "1.png"
    paths = ["images/cat/1.png", "images/dog/1.png", deep]
    assert peak_bytes(lambda: without_companions(paths)) < 1_000_000


@pytest.mark.parametrize("size", [b"\xff" * 12, b"\x80" + b"\x7f" * 11, b"-0000000777\0"])
@pytest.mark.parametrize("kind", [b"0", b"L", b"x"])
def test_a_tar_with_sizes_that_cannot_be(tmp_path: Path, size: bytes, kind: bytes) -> None:
    info = tarfile.TarInfo("cat/1.png")
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    block[124:136], block[156:157] = size, kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    (tmp_path / "x.tar").write_bytes(bytes(block) + bytes(10240))
    message = refusal(tmp_path / "x.tar")
    assert (
        "is not a complete tar" in message or "bytes: expected" in message or "too large" in message
    )


def good_tar(path: Path) -> list[int]:
    """Write a tar of four images; return the offsets of its members."""
    with tarfile.open(path, "w") as archive:
        for number, name in enumerate(GOOD):
            info = tarfile.TarInfo(name)
            info.size = len(png(number))
            archive.addfile(info, io.BytesIO(png(number)))
    with tarfile.open(path) as archive:
        return [member.offset for member in archive.getmembers()]


@pytest.mark.parametrize("member", [1, 2, 3])
def test_a_tar_that_is_damaged_where_a_member_begins(tmp_path: Path, member: int) -> None:
    path = tmp_path / "x.tar"
    begin = good_tar(path)[member]
    raw = path.read_bytes()
    for harmed in (
        raw[:begin],
        raw[: begin + 100],
        raw[:begin] + bytes(512) + raw[begin + 512 :],
        raw[:begin] + b"x" * 512 + raw[begin + 512 :],
    ):
        path.write_bytes(harmed)
        assert "is not a complete tar archive" in refusal(path)


def test_a_hole_after_the_end_of_a_tar_is_not_read(tmp_path: Path) -> None:
    """Reading a tebibyte would take hours."""
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for name in GOOD:
            (tmp_path / "0.png").write_bytes(b"0")
            archive.add(tmp_path / "0.png", name)
    os.truncate(path, 2**40)
    assert len(open_source(str(path), DataConfig(), None).records) == len(GOOD)
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    assert "more data after its end" in refusal(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        info = tarfile.TarInfo("cat/1.png")
        info.type, info.linkname = kind, "/etc/hostname"
        archive.addfile(info)
    assert "'cat/1.png': expected files and folders only" in refusal(tmp_path / "x.tar")


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", GOOD, mode=0o120777)
    assert "holds a link, 'cat/1.png'" in refusal(path)


NPY = "{'descr': %s, 'fortran_order': False, 'shape': %s, }"


@pytest.mark.parametrize(
    "header",
    [
        NPY % ("'(2,3)|u1'", "(1,)"),  # an array of arrays
        NPY % ("[('a', '|u1', (6,))]", "(1,)"),
        NPY % ("'|u1'", "(6L,)"),  # as Python 2 wrote it
        "(" * 250 + NPY % ("'|u1'", "(6,)"),
        "'" * 3,
        "  x\n y",
        "[" * 9000,
        "-" * 9000 + "1",
        NPY % ("'|u1'", f"({'9' * 5000},)"),
        NPY % ("'<M8[" + "9" * 40 + "s]'", "(6,)"),
        NPY % ("{'names': ['a'], 'formats': ['<f4'], 'offsets': [-8]}", "(6,)"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_header_of_an_array_that_is_none(tmp_path: Path, header: str) -> None:
    text = header.encode().ljust(9990) + b"\n"
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(6)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", npy)
        archive.writestr("y.npy", npy)
    assert "x of" in refusal(tmp_path / "x.npz")


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tar.xz", "x.npz"])
def test_text_is_no_archive(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("This is not the archive you are looking for.\n" * 100)
    assert "check that it was copied completely" in refusal(tmp_path / name)


@pytest.mark.parametrize(("suffix", "mode"), [("tar", "w"), ("tar.gz", "w:gz"), ("tar.xz", "w:xz")])
def test_a_truncated_tar(tmp_path: Path, suffix: str, mode: str) -> None:
    path = tmp_path / f"x.{suffix}"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name in GOOD:
            info = tarfile.TarInfo(name)
            info.size = len(png())
            archive.addfile(info, io.BytesIO(png()))
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 3])
    assert "is not a complete tar archive" in refusal(path)


def test_a_truncated_zip(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", GOOD)
    path.write_bytes(path.read_bytes()[:-100])
    assert "is not a complete .zip archive" in refusal(path)


def test_an_encrypted_zip(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", GOOD)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    assert "is encrypted" in refusal(path)


def test_archives_out_of_proportion(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", GOOD)
    assert "holds more than 3 files" in refusal(path, DataConfig(max_entries=3))
    assert "'cat/1.png' in it unpacks to more than" in refusal(path, DataConfig(max_file_bytes=99))
    assert "it unpacks to more than" in refusal(path, DataConfig(max_archive_bytes=9999))
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("cat/1.png")
        info.size = 10_000_000
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    assert (tmp_path / "x.tar.gz").stat().st_size < 20_000
    config = DataConfig(max_archive_bytes=1_000_000)
    assert "it unpacks to more than 1000000 bytes" in refusal(tmp_path / "x.tar.gz", config)


X = np.random.default_rng(0).integers(0, 256, (12, 9, 9), dtype=np.uint8)
Y = np.arange(12) % 2


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.array([{}] * 12), "y": Y}, "x of .* is an array of Python objects"),
        ({"x": X, "y": np.array(list("ab") * 6, object)}, "y of .* is an array of Python objects"),
        ({"x": X, "z": Y}, r"has the arrays \['x', 'z'\]: expected x and y"),
        ({"x": X[0], "y": Y}, r"x of .* has the shape \(9, 9\): expected \(n, h, w\)"),
        ({"x": X[..., None].repeat(4, 3), "y": Y}, r"has the shape \(12, 9, 9, 4\)"),
        ({"x": X[:0], "y": Y[:0]}, r"has the shape \(0, 9, 9\)"),
        ({"x": X.astype(np.int32), "y": Y}, "is of dtype int32: expected uint8.*astype"),
        ({"x": X > 9, "y": Y}, "is of dtype bool"),
        (
            {"x": X.astype(np.float32), "y": Y},
            r"holds floats from 0 to 255: expected \[0, 1\]; div",
        ),
        ({"x": X / 127.5 - 1, "y": Y}, r"holds floats from -1 to 1: .* normalised: pass them as"),
        ({"x": np.full(X.shape, np.nan), "y": Y}, "holds floats from nan to nan"),
        ({"x": X, "y": Y[:11]}, "has 12 images in x but 11 labels in y: expected one each"),
        ({"x": X, "y": Y * 0.5}, "y of .* is of dtype float64: expected integers"),
        ({"x": X, "y": np.eye(12, dtype=int)}, r"y of .* has the shape \(12, 12\)"),
        ({"x": X, "y": Y * 0}, "one class only, '0'"),
        ({"x_test": X, "y_test": Y}, "has the arrays"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :8], "y_test": Y}, "differ in shape"),
    ],
)
def test_npz(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    path = tmp_path / "arrays.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message):
        load_dataset(str(path), seed=0)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float16", "float32", "float64"])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_npz_kinds_all_look_the_same(tmp_path: Path, kind: str, channels: tuple[int, ...]) -> None:
    kinds: dict[str, NDArray[Any]] = {"uint8": X, "uint16": X.astype(np.uint16) * 257}
    whole = kinds.get(kind, (X / 255).astype(kind))
    shaped = np.broadcast_to(whole.reshape(*X.shape, *(1 for _ in channels)), (*X.shape, *channels))
    np.savez_compressed(tmp_path / "a.npz", images=shaped, labels=(Y * 9 - 4)[:, None])
    np.savez(tmp_path / "b.npz", x=X, y=Y)
    one, other = (load_dataset(str(tmp_path / f"{n}.npz"), seed=0, resolution=9) for n in "ab")
    assert one.class_names == ("-4", "5")
    assert torch.equal(one.train.labels, other.train.labels)
    images = [d.train.images(torch.arange(len(d.train))) for d in (one, other)]
    assert torch.equal(images[0], images[1])


def test_the_range_of_a_deep_npz_is_that_of_its_data_set(tmp_path: Path) -> None:
    """It is saved with the model, as that of files is, so that new images are scaled alike."""
    np.savez(tmp_path / "twelve.npz", x=X.astype(np.uint16) * 16, y=Y)
    np.savez(tmp_path / "eight.npz", x=X, y=Y)
    assert load_dataset(str(tmp_path / "twelve.npz"), seed=0).grey_range == (0, 4095)
    assert load_dataset(str(tmp_path / "eight.npz"), seed=0).grey_range is None


@pytest.mark.parametrize("style", ["x_{0} y_{0}", "{0}_images {0}_labels"])
def test_npz_with_splits_and_numeric_order(tmp_path: Path, style: str) -> None:
    arrays: dict[str, object] = {}
    for split, repeats in {"train": 4, "val": 1, "test": 2}.items():
        image_key, label_key = style.format(split).split()
        arrays[image_key] = np.tile(X, (repeats, 1, 1))
        arrays[label_key] = np.tile(np.arange(12, dtype=np.uint8), repeats)
    np.savez(tmp_path / "medical.npz", **arrays)  # type: ignore[arg-type]
    data = load_dataset(str(tmp_path / "medical.npz"), seed=0)
    assert data.name == "medical"
    assert data.class_names == tuple(str(number) for number in range(12))
    assert [len(split) for split in (data.train, data.val, data.test)] == [48, 12, 24]
    assert data.val.labels.tolist() == list(range(12))


def header_only(content: bytes) -> bytes:
    """Return a PNG with a complete header and without pixels."""
    return content[: content.index(b"IDAT") + 8]


def test_images_of_headers_alone_are_not_a_data_set(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASOA_CACHE_BYTES", "0")
    root = make_folder({"cat": 10, "dog": 10})
    for number in range(3):
        path = root / "cat" / f"{number}.png"
        path.write_bytes(header_only(path.read_bytes()))
    told = refusal(root, DataConfig(memory_budget_bytes=0))
    assert "3 of 20 files in" in told
    assert refusal(root) == told


def test_an_image_that_cannot_be_decoded_is_tried_once(
    make_folder: MakeFolder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASOA_CACHE_BYTES", "0")
    root = make_folder({"train/cat": 15, "train/dog": 15, "test/cat": 2, "test/dog": 2})
    path = root / "train" / "cat" / "3.png"
    path.write_bytes(header_only(path.read_bytes()))
    config = DataConfig(memory_budget_bytes=0, val_fraction=0.1)
    train = load_dataset(str(root), seed=0, config=config).train
    for _epoch in range(3):
        train.images(torch.arange(len(train)))
    assert caplog.text.count("replaces it") <= 1


def test_all_images_together_have_a_budget(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 4, "dog": 4})
    config = DataConfig(max_total_pixels=7 * 40 * 48)
    assert f"more than {7 * 40 * 48} pixels in total" in refusal(root, config)
    load_dataset(str(root), seed=0, config=DataConfig(max_total_pixels=8 * 40 * 48))


def test_a_file_larger_than_any_image_is_not_read(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 15, "dog": 15})
    with (root / "cat" / "sparse.png").open("wb") as file:
        file.truncate(2**40)
    assert peak_bytes(lambda: load_dataset(str(root), seed=0)) < 50_000_000
