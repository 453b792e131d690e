"""Every error that nasoa raises on purpose.

    NasoaError
    |-- InvalidInput              the user can fix it: exit code 2, one line
    |   |-- EncodingError         a malformed architecture encoding, with its position
    |   |-- DataError             images, archives, arrays, splits
    |   |-- TimeLimitError        not a duration, or too short for any choice
    |   |-- WeightsError          weights that do not fit the network, or cannot be read
    |   |-- BackboneError         a network that cannot be split into stem, stages and head
    |   |-- UnknownName           a model, pipeline, parameter or version that does not exist
    |   |-- StoreUnavailable      the store cannot be reached, written, or opened
    |   |   `-- StoreFailed       the store failed; the same request may succeed later
    |   |-- AlreadyClaimed        another process is already doing the requested work
    |   |-- CronError             an invalid cron schedule
    |   `-- ClusterRefused        a cluster that cannot be reached, or refuses a request
    |-- ObjectNotFound            a key that is not in the store
    |-- CorruptRecord             a stored object that cannot be decoded
    |-- TrainingFailed            a training that ended without a usable result
    |-- LintFailed                compiled pipelines with lint findings
    |-- ClusterFailed             a cluster that has an internal error or does not answer in time
    `-- RunFailed                 a run on a cluster that did not succeed

A message is one line that says what was expected, what came, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from nasoa.plain_text import escaped, shortened
from nasoa.redaction import redacted

MOST_NAMES = 20  # in one message


class NasoaError(Exception):
    """The root of every error that nasoa raises on purpose.

    Its text may contain file names, addresses and server responses, so control characters are
    escaped and secrets are redacted. The middle of a very long
    text is left out.
    """

    def __str__(self) -> str:
        return escaped(redacted(shortened(super().__str__())))


class InvalidInput(NasoaError):
    """Input that the user can fix."""


class EncodingError(InvalidInput):
    """A malformed architecture encoding.

    Args:
        text: the encoding.
        position: index in `text` of the first wrong character.
        problem: what was expected there and what came.
    """

    def __init__(self, text: str, position: int, problem: str) -> None:
        self.text = text
        self.position = position
        self.problem = problem
        super().__init__(f"encoding {text!r}, position {position}: {problem}")


class DataError(InvalidInput):
    """A data set that cannot be used."""


class TimeLimitError(InvalidInput):
    """A time limit that is not a duration, or too short for any choice."""


class WeightsError(InvalidInput):
    """Weights that cannot be read or do not fit the network."""


class BackboneError(InvalidInput):
    """A network that cannot be split into stem, stages and head, or cannot be built."""


class UnknownName(InvalidInput):
    """A name that does not exist.

    Args:
        kind: what the name should refer to ("model", "pipeline").
        name: the unknown name.
        known: the existing names; similar ones are suggested.
        hint: what else helps, such as the command that lists all.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if near:
            advice = "did you mean " + " or ".join(near) + "?"
        elif names:
            more = len(names) - MOST_NAMES
            advice = "expected one of " + ", ".join(names[:MOST_NAMES])
            advice += f" and {more} more" if more > 0 else ""
        else:
            advice = "there are none yet"
        super().__init__(f"unknown {kind} {name!r}: {advice}{f'; {hint}' if hint else ''}")


class StoreUnavailable(InvalidInput):
    """A store that cannot be reached, opened, or written."""


class StoreFailed(StoreUnavailable):
    """A store that does not answer or has an internal error; the request may succeed later."""


class AlreadyClaimed(InvalidInput):
    """Another process is already doing the requested work."""


class CronError(InvalidInput):
    """An invalid cron schedule."""


class ClusterRefused(InvalidInput):
    """A cluster that cannot be reached, or refuses a request.

    Args:
        message: what was requested, what came, and what to do.
        status: HTTP status code, or None if the cluster did not answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class ObjectNotFound(NasoaError):
    """A key that is not in the store."""

    def __init__(self, store: str, key: str) -> None:
        self.key = key
        super().__init__(f"no object {key!r} in {store}")


class CorruptRecord(NasoaError):
    """A stored object that cannot be decoded."""

    def __init__(self, key: str, problem: str) -> None:
        self.key = key
        super().__init__(f"object {key!r} cannot be read: {problem}")


class TrainingFailed(NasoaError):
    """A training that ended without a usable result."""


class LintFailed(NasoaError):
    """Compiled pipelines that a cluster would not run as intended."""


class ClusterFailed(NasoaError):
    """A cluster that has an internal error or times out; the request may succeed later."""


class RunFailed(NasoaError):
    """A run on a cluster that did not succeed."""
