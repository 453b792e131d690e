"""Reading ends with an error of one line if the time limit can no longer be met."""

from __future__ import annotations

import bz2
import io
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nasoa.config import DataConfig, untimed
from nasoa.data import load_dataset
from nasoa.data.pixel_cache import PixelCache
from nasoa.data.pixel_file import PixelMetadata
from nasoa.data.reading_limit import ReadingLimit, results_in_time, threads_to_leave
from nasoa.errors import TimeLimitError

SLACK_S = 0.5


def within(seconds: float, data: str = "photos") -> DataConfig:
    """Return a configuration that gives reading this many seconds from now on."""
    now = time.monotonic()
    return DataConfig(check_time=ReadingLimit(data, seconds, now, now + seconds))


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASOA_CACHE_BYTES", "0")


def refused_within(seconds: float, data: Path) -> str:
    """Return the message of the refusal, which must come in time."""
    started = time.monotonic()
    with pytest.raises(TimeLimitError) as caught:
        load_dataset(str(data), seed=0, config=within(seconds, data.name))
    assert time.monotonic() - started < seconds + SLACK_S
    message = str(caught.value)
    assert "\n" not in message
    assert data.name in message
    assert f"got {seconds:.1f} s" in message
    return message


def image_bytes(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (value, 0, 0)).save(file, "PNG")
    return file.getvalue()


MANY = 200_000


@pytest.fixture(scope="module", params=["zip", "tar"])
def many_images(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("many") / f"many.{request.param}"
    contents = [image_bytes(value) for value in range(256)]
    names = (f"{'ab'[number % 2]}/{number}.png" for number in range(MANY))
    if request.param == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for number, name in enumerate(names):
                archive.writestr(name, contents[number % 256])
        return path
    with tarfile.open(path, "w") as tar:
        for number, name in enumerate(names):
            member = tarfile.TarInfo(name)
            member.size = len(contents[number % 256])
            tar.addfile(member, io.BytesIO(contents[number % 256]))
    return path


@pytest.mark.slow
def test_hundreds_of_thousands_of_images_are_refused_in_time(many_images: Path) -> None:
    refused_within(3.0, many_images)


@pytest.mark.slow
def test_hundreds_of_thousands_of_images_are_read(many_images: Path) -> None:
    data = load_dataset(str(many_images), seed=0)
    assert sum(map(len, (data.train, data.val, data.test))) == MANY


def test_a_padded_archive_is_not_unpacked_to_its_end(tmp_path: Path) -> None:
    """bzip2 compresses gigabytes of zeros to a few kilobytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name in ("a", "b"):
            for number in range(4):
                content = image_bytes(number)
                info = tarfile.TarInfo(f"{name}/{number}.png")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    zeros = bz2.compress(bytes(20_000_000))
    path = tmp_path / "padded.tar.bz2"
    path.write_bytes(bz2.compress(plain.getvalue()) + 100 * zeros)
    refused_within(1.0, path)


def test_one_image_that_takes_long_is_not_waited_for(tmp_path: Path) -> None:
    """Decoding a 16-bit image cannot be interrupted."""
    noise = np.random.default_rng(0).integers(0, 2**16, (3000, 3000), dtype=np.uint16)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG", compress_level=1)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.png").write_bytes(file.getvalue())
    started = time.monotonic()
    Image.open(tmp_path / "a" / "0.png").load()
    one_s = time.monotonic() - started
    # Two threads decode six images, after the sample that determines the grey range.
    refused_within(1.5 * one_s, tmp_path)


def test_reading_that_would_take_much_too_long_is_refused_early(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(400):
            (tmp_path / name / f"{number}.png").write_bytes(image_bytes(number % 256))
    config = within(4.0)

    class Slow:
        """Makes each image take 0.1 s, so the headers of 256 images take 13 s in two threads."""

        def __call__(self, share: float = 0.0, since_s: float = 0.0) -> None:
            if threading.current_thread() is not threading.main_thread():
                time.sleep(0.1)
            config.check_time(share, since_s)

    started = time.monotonic()
    with pytest.raises(TimeLimitError, match=r"takes about [0-9.]+ s to read"):
        load_dataset(str(tmp_path), seed=0, config=DataConfig(check_time=Slow()))
    assert time.monotonic() - started < 3.0


@given(
    share=st.floats(0.0, 1.0),
    spent_s=st.floats(0.0, 99.0),
    has_s=st.floats(0.1, 100.0),
)
def test_it_is_refused_if_and_only_if_it_cannot_end(
    share: float, spent_s: float, has_s: float
) -> None:
    """Twice the time is allowed, as other load on the machine may end."""
    now = time.monotonic()
    began = now - spent_s
    limit = ReadingLimit("photos", has_s, began, began + has_s)
    may_end = spent_s < has_s and (
        spent_s <= 0.2 * has_s or share == 0.0 or spent_s / share <= 2 * has_s
    )
    near = abs(spent_s - has_s) < 0.1 or abs(spent_s - 0.2 * has_s) < 0.1
    near |= share > 0.0 and abs(spent_s / share - 2 * has_s) < 0.1 * has_s + 0.1
    if near:  # time passes during the test
        return
    if may_end:
        limit(share, began)
    else:
        with pytest.raises(TimeLimitError):
            limit(share, began)


def test_results_come_in_order_and_errors_with_them() -> None:
    with threads_to_leave(4) as pool:
        futures = [pool.submit(lambda n=n: time.sleep(0.01 * (5 - n)) or n) for n in range(5)]
        assert list(results_in_time(futures, untimed)) == list(range(5))
    with pytest.raises(ZeroDivisionError), threads_to_leave(1) as pool:
        list(results_in_time([pool.submit(lambda: 1 // 0)], untimed))


def test_nobody_waits_for_threads_that_are_left() -> None:
    go_on = threading.Event()
    started = time.monotonic()

    def over(share: float = 0.0, since_s: float = 0.0) -> None:
        if time.monotonic() - started > 0.2:
            raise TimeLimitError("over")

    def leave() -> Iterator[object]:
        with threads_to_leave(1) as pool:
            yield from results_in_time([pool.submit(go_on.wait, 30)], over)

    with pytest.raises(TimeLimitError):
        list(leave())
    assert time.monotonic() - started < 2
    go_on.set()


def test_a_slow_disk_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded images are stored only if that takes less time than decoding them again."""
    monkeypatch.setattr("nasoa.data.pixel_cache._PIECE_BYTES", 64)
    cache = PixelCache(tmp_path / "cache", 10**9, 1)
    pixels = np.zeros((4, 3, 8, 8), np.uint8)
    cache.put("slow", pixels, PixelMetadata(8, {}), most_s=0.0)
    assert cache.get("slow", pixels.shape) is None
    assert list((tmp_path / "cache").iterdir()) == []
    cache.put("fast", pixels, PixelMetadata(8, {}), most_s=60.0)
    assert cache.get("fast", pixels.shape) is not None
