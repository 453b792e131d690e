"""List the objects of a store that nasoa has written.

People, file browsers and copy programs leave other files in a folder or a bucket (`.DS_Store`,
`._t1.json`, `Thumbs.db`, notes). These are ignored wherever objects are listed.
"""

from __future__ import annotations

from nasoa.store.protocol import NAME, ArtifactStore


def names(store: ArtifactStore, prefix: str, suffix: str = ".json") -> list[str]:
    """Return the names, without `suffix`, of the objects directly below a prefix, sorted."""
    found = (key.removeprefix(prefix) for key in store.list(prefix))
    named = [name.removesuffix(suffix) for name in found if name.endswith(suffix)]
    return sorted(name for name in named if NAME.fullmatch(name))


def folders(store: ArtifactStore, prefix: str) -> list[str]:
    """Return the names of the folders directly below a prefix, sorted."""
    found = (key.removeprefix(prefix).split("/") for key in store.list(prefix))
    return sorted({parts[0] for parts in found if len(parts) > 1 and NAME.fullmatch(parts[0])})


def numbers(
    store: ArtifactStore, prefix: str, suffix: str = ".json", *, first: str = "", after: str = ""
) -> list[int]:
    """Return the numbers of the numbered objects directly below a prefix, ascending.

    Args:
        store: store of the objects.
        prefix: prefix of their keys.
        suffix: text after the number.
        first: text before the number.
        after: a key; only greater keys are listed.
    """
    found = (key.removeprefix(prefix) for key in store.list(prefix, after=after))
    named = [name for name in found if name.startswith(first) and name.endswith(suffix)]
    digits = (name[len(first) : len(name) - len(suffix)] for name in named)
    return sorted(int(text) for text in digits if text.isascii() and text.isdigit())
