"""YAML that people write."""

from __future__ import annotations

from typing import Any

import yaml


class NotYaml(ValueError):
    """Text that is not YAML."""


def documents(text: str) -> list[Any]:
    """Return the documents in a text.

    Raises:
        NotYaml: it cannot be read. PyYAML raises nearly anything: of dates and numbers that do not
            exist, of nesting that is too deep.
    """
    try:
        return list(yaml.safe_load_all(text))
    except Exception as error:
        raise NotYaml(" ".join(str(error).split())) from None
