"""What a listing holds of ours.

People, file browsers and copy programs leave files of their own in a folder or a bucket
(`.DS_Store`, `._t1.json`, `Thumbs.db`, notes). They are passed over wherever objects are found by
listing them.
"""

from __future__ import annotations

from nasoa.store.protocol import NAME, ArtifactStore


def names(store: ArtifactStore, prefix: str, suffix: str = ".json") -> list[str]:
    """The names, without the suffix, of the objects right below a prefix that have it; sorted."""
    found = (key.removeprefix(prefix) for key in store.list(prefix))
    named = [name.removesuffix(suffix) for name in found if name.endswith(suffix)]
    return sorted(name for name in named if NAME.fullmatch(name))


def folders(store: ArtifactStore, prefix: str) -> list[str]:
    """The names of what lies below a prefix and has objects below itself; sorted."""
    found = (key.removeprefix(prefix).split("/") for key in store.list(prefix))
    return sorted({parts[0] for parts in found if len(parts) > 1 and NAME.fullmatch(parts[0])})


def numbers(
    store: ArtifactStore, prefix: str, suffix: str = ".json", *, first: str = "", after: str = ""
) -> list[int]:
    """The numbers of the objects right below a prefix that are named by one; ascending.

    Args:
        store: where they are.
        prefix: of their keys.
        suffix: that follows the number.
        first: what comes before the number.
        after: a key; only greater ones are listed.
    """
    found = (key.removeprefix(prefix) for key in store.list(prefix, after=after))
    named = [name for name in found if name.startswith(first) and name.endswith(suffix)]
    digits = (name[len(first) : len(name) - len(suffix)] for name in named)
    return sorted(int(text) for text in digits if text.isascii() and text.isdigit())
