"""Show pages in notebooks."""

from __future__ import annotations

from html import escape


def framed(page: str, title: str, height: int) -> str:
    """Return a page in an iframe, which keeps its styles apart from the notebook's.

    Args:
        page: a self-contained HTML document.
        title: what the frame shows, for screen readers.
        height: height of the frame in pixels.
    """
    return (
        f'<iframe srcdoc="{escape(page, quote=True)}" sandbox title="{escape(title, quote=True)}" '
        f'style="width: 100%; height: {height}px; border: 0"></iframe>'
    )
