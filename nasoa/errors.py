"""Every error that nasoa raises on purpose.

    NasoaError
    |-- InvalidInput              the user can mend it: exit code 2, one line
    |   |-- EncodingError         a malformed architecture encoding, with its position
    |   |-- DataError             images, archives, arrays, splits
    |   |-- TimeLimitError        not a duration, or too short for any choice
    |   |-- WeightsError          weights that do not fit the network, or cannot be read
    |   |-- BackboneError         a network that cannot be taken apart into stem, stages and head
    |   |-- UnknownName           a model, pipeline, parameter or version that is not there
    |   |-- StoreUnavailable      the store cannot be reached, written, or opened
    |   |   `-- StoreFailed       the same request may succeed a little later
    |   |-- AlreadyClaimed        another process works on what was asked for
    |   |-- CronError             text that is no schedule
    |   `-- ClusterRefused        a cluster that cannot be reached, or refuses what is asked of it
    |-- ObjectNotFound            a key that the store does not hold
    |-- CorruptRecord             a stored object that cannot be decoded
    |-- TrainingFailed            a fine-tune that ended with no usable result
    |-- LintFailed                compiled pipelines with findings
    |-- ClusterFailed             a cluster that fails by itself, or does not answer in time
    `-- RunFailed                 a run on a cluster that did not succeed

A message is one line: what was expected, what arrived, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from nasoa.plain_text import escaped, shortened
from nasoa.redaction import redacted

MOST_NAMES = 20  # in one message


class NasoaError(Exception):
    """The root of every error that nasoa raises on purpose.

    Its text shows control characters escaped, as names of others' files are in it, and no secrets,
    as answers of servers and addresses are. A very long one lacks its middle.
    """

    def __str__(self) -> str:
        return escaped(redacted(shortened(super().__str__())))


class InvalidInput(NasoaError):
    """Input that the user can mend."""


class EncodingError(InvalidInput):
    """A malformed architecture encoding.

    Args:
        text: the whole encoding.
        position: index in `text` of the first character that is wrong.
        problem: what was expected there and what arrived.
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
    """A network that cannot be taken apart into stem, stages and head, or cannot be built."""


class UnknownName(InvalidInput):
    """A name that nothing has.

    Args:
        kind: what the name should have been a name of ("model", "pipeline").
        name: what arrived.
        known: the names there are; near ones are suggested.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if near:
            advice = "did you mean " + " or ".join(near) + "?"
        elif names:
            more = len(names) - MOST_NAMES
            advice = "there are " + ", ".join(names[:MOST_NAMES])
            advice += f" and {more} more" if more > 0 else ""
        else:
            advice = "there are none yet"
        super().__init__(f"unknown {kind} {name!r}: {advice}")


class StoreUnavailable(InvalidInput):
    """A store that cannot be reached, opened, or written."""


class StoreFailed(StoreUnavailable):
    """A store that does not answer, or fails by itself: the same request may succeed later."""


class AlreadyClaimed(InvalidInput):
    """Another process works on what was asked for."""


class CronError(InvalidInput):
    """Text that is no schedule."""


class ClusterRefused(InvalidInput):
    """A cluster that cannot be reached, or refuses what is asked of it.

    Args:
        message: what was asked, what came, what to do.
        status: of HTTP, where the cluster answered.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class ObjectNotFound(NasoaError):
    """A key that the store does not hold."""

    def __init__(self, store: str, key: str) -> None:
        self.key = key
        super().__init__(f"no object {key!r} in {store}")


class CorruptRecord(NasoaError):
    """A stored object that cannot be decoded."""

    def __init__(self, key: str, problem: str) -> None:
        self.key = key
        super().__init__(f"object {key!r} cannot be read: {problem}")


class TrainingFailed(NasoaError):
    """A fine-tune that ended with no usable result."""


class LintFailed(NasoaError):
    """Compiled pipelines that a cluster would not run as they are meant."""


class ClusterFailed(NasoaError):
    """A cluster that fails by itself, or does not answer in time: the same request may succeed."""


class RunFailed(NasoaError):
    """A run on a cluster that did not succeed."""
