"""The one oracle: a case succeeds, or is refused by nasoa's own error in one plain line.

Nothing else may come of it: no other exception, no warning of Python, nothing written to standard
output or error, no lines of the log with control characters, no file left behind, no more than
`MOST_CPU_S` seconds of processor time, and no more than `MOST_BYTES` of memory. Beyond that bound
lies the limit on the address space (`tests.fuzz.child`), where a case that asks for memory by a
size that lies gets none; who swallows that error is found by the message.
"""

from __future__ import annotations

import gc
import logging
import os
import re
import sys
import tempfile
import threading
import time
import traceback
import unicodedata
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasoa.errors import NasoaError
from nasoa.logs import TextFormatter
from tests.fuzz.kinds import Kind, make

MOST_CPU_S = float(os.environ.get("NASOA_FUZZ_CPU_S") or 3.0)
MOST_BYTES = 160 * 1024**2
LONGEST_LINE = 20_000
_HIGH_WATER = "/proc/self/clear_refs"
_MEMORY = re.compile(
    r"MemoryError|out of memory|alloc\w* of size|bad_alloc"
    r"|(?:unable|cannot|can't|failed) (?:to )?alloc",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"'[^']*'|`[^`]*`")  # names
# A refusal before anything was allocated, and of pickles, in which no size can be seen beforehand:
# PyTorch takes addresses by them, but no memory.
_MEMORY_SAID = re.compile("more than half of the memory of this machine|a PyTorch checkpoint of")
_DIRECTIONS = {"\u061c", "\u200e", "\u200f", *map(chr, range(0x202A, 0x202F))}
_DIRECTIONS |= set(map(chr, range(0x2066, 0x206A)))


@dataclass(frozen=True)
class Verdict:
    """What came of a case; `fault` is empty where that is as it should be."""

    accepted: bool
    fault: str = ""
    key: str = ""


class WrongError(Exception):
    """A refusal that is not one plain line."""


def check_line(text: str) -> None:
    """Check what a user is to read.

    Raises:
        WrongError: it is empty, long, or has characters that are more than text.
    """
    bad = sorted({c for c in text if _is_control(c)})
    if bad:
        raise WrongError(f"control characters {bad} in the message {text[:500]!r}")
    if not text.strip():
        raise WrongError("an empty message")
    if len(text) > LONGEST_LINE:
        raise WrongError(f"a message of {len(text)} characters: {text[:300]!r}")
    if _MEMORY.search(_QUOTED.sub("", text)) and not _MEMORY_SAID.search(text):
        raise WrongError(f"it asked for memory that it did not get: {text[:500]!r}")


def check_lines(texts: Iterable[str]) -> None:
    """Check several lines; see `check_line`."""
    for text in texts:
        check_line(text)


class Oracle:
    """Judges cases, one after another, in this process.

    Args:
        folder: an empty one, for everything that is written.
    """

    def __init__(self, folder: Path) -> None:
        self._given = folder / "given"
        self._watched = [folder / name for name in ("tmp", "home", "cwd")]
        for own in (self._given, *self._watched):
            own.mkdir()
        tempfile.tempdir = str(self._watched[0])
        os.environ["TMPDIR"] = tempfile.tempdir
        os.environ["HOME"] = str(self._watched[1])
        os.chdir(self._watched[2])
        self._said: list[str] = []
        self._base = _peak_bytes()
        self._watch()

    def _watch(self) -> None:
        """Note what would only be printed."""

        def warn(message: Warning | str, category: type[Warning], *where: Any, **_: Any) -> None:
            self._said.append(f"{category.__name__}: {message} ({where[0]}:{where[1]})")

        warnings.simplefilter("always")
        warnings.showwarning = warn
        sys.unraisablehook = lambda event: self._said.append(
            f"an error that nobody could catch: {event.exc_value!r} in {event.object!r}"
        )
        threading.excepthook = lambda event: self._said.append(
            f"a thread ended by {event.exc_value!r}"
        )
        logging.basicConfig(level=logging.INFO, handlers=[_Listener(self._said.append)], force=True)

    def judge(self, kind: Kind, name: str, seed: int) -> Verdict:
        """Run a case."""
        return self.judge_case(kind, make(kind, name, seed))

    def judge_case(self, kind: Kind, case: Any, *, measured: bool = True) -> Verdict:
        """Run a case that is made; unless `measured`, it may take any time and memory."""
        self._said.clear()
        began_s = time.process_time()
        accepted, fault, key = self._run(kind, case)
        took_s = time.process_time() - began_s
        rest = self._said or self._left_behind() or self._printed()
        if not fault and rest:
            fault = key = str(rest[0])
        if measured and not fault and took_s > MOST_CPU_S:
            fault, key = f"took {took_s:.1f} s of processor time", "time"
        grown = _peak_bytes() - self._base
        if grown > MOST_BYTES:
            if measured and not fault:
                fault, key = f"took {grown / 1e6:.0f} MB of memory", "memory"
            self.rest()
        return Verdict(accepted, fault, re.sub(r"[0-9]+", "N", key)[:200])

    def rest(self) -> None:
        """Begin counting memory anew."""
        gc.collect()
        Path(_HIGH_WATER).write_text("5")
        self._base = _peak_bytes()

    def _run(self, kind: Kind, case: Any) -> tuple[bool, str, str]:
        """Whether it was accepted; else, where it was not refused well, what came, and where."""
        try:
            kind.run(case, self._given)
        except NasoaError as error:
            text = str(error)
            try:
                check_line(text)
            except WrongError as wrong:
                return False, f"{wrong}\n{_told(error)}", f"{str(wrong)[:20]} {_where(error)}"
            return False, "", ""
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # panics of Rust are no Exception
            return False, _told(error), f"{type(error).__name__} {_where(error)}"
        return True, "", ""

    def _left_behind(self) -> list[str]:
        left = [f"{own}/{name}" for own in self._watched for name in os.listdir(own)]
        if left:
            gc.collect()  # what a cycle of objects holds goes with it
            left = [path for path in left if os.path.lexists(path)]
            for path in left:
                os.rename(path, self._given / f"left-{time.monotonic_ns()}")
        return [f"left behind: {path}" for path in left]

    def _printed(self) -> list[str]:
        """What was written past Python to standard error, which is a file."""
        if os.fstat(2).st_size == 0 or not os.path.isfile("/proc/self/fd/2"):
            return []
        text = Path("/proc/self/fd/2").read_bytes()
        os.ftruncate(2, 0)
        os.lseek(2, 0, os.SEEK_SET)
        return [f"written to standard error: {text[:500]!r}"]


class _Listener(logging.Handler):
    """Checks lines of the log as they are shown."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        super().__init__()
        self._tell = tell
        self.setFormatter(TextFormatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            if any(map(_is_control, text)) or len(text) > LONGEST_LINE:
                self._tell(f"a line of the log that is none: {text[:500]!r}")
        except Exception as error:
            self._tell(f"a line of the log that cannot be formatted: {error!r}")


def _is_control(c: str) -> bool:
    if c.isascii():
        return not " " <= c <= "~"
    return unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _DIRECTIONS


def _peak_bytes() -> int:
    # Not `ru_maxrss`, which a process takes over from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error, limit=-12))[-4000:]


def _where(error: BaseException) -> str:
    """The deepest place in nasoa; where there is none, the deepest of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f"{os.sep}nasoa{os.sep}" in f.filename] or frames
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
