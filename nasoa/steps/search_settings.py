"""Read the settings of a search from a pipeline parameter, a JSON object."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from nasoa.errors import InvalidInput
from nasoa.offline.search import StopCriterion

STOPPING = tuple(field.name for field in fields(StopCriterion))


def read_settings(text: str) -> tuple[StopCriterion, dict[str, Any]]:
    """Return the stop criterion of a search and its other settings, with JSON lists as tuples.

    Args:
        text: a JSON object; empty for none.

    Raises:
        InvalidInput: `text` is not a JSON object, or the stop criterion is out of range.
    """
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"expected settings as a JSON object, got {text!r}: {error}") from None
    if not isinstance(found, dict):
        raise InvalidInput(f"expected settings as a JSON object, got {text!r}")
    settings = {name: _tuples(value) for name, value in found.items()}
    stop = StopCriterion(**{name: settings.pop(name) for name in STOPPING if name in settings})
    return stop, settings


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_tuples, value))
    if isinstance(value, dict):
        return {name: _tuples(part) for name, part in value.items()}
    return value
