"""A page as the user interface of Kubeflow Pipelines shows it, in a real browser.

Its HTML viewer sets `srcdoc` of an iframe with `sandbox="allow-scripts"` (HTMLViewer.tsx of
kubeflow/pipelines): scripts run, but the page has no origin, no cookies and no storage.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from html import escape, unescape
from pathlib import Path
from typing import Any

# Reports to the parent window what is in the page, and what the sandbox allows.
_PROBE = r"""
<script>
let cookies = "allowed";
try { document.cookie } catch (error) { cookies = error.name }
// Relative luminance and contrast as WCAG 2 defines them.
const luminance = colour => colour.match(/[\d.]+/g).slice(0, 3).map(part => part / 255)
  .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
const contrast = (one, other) => {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const contrasts = background => Object.fromEntries(
  ["p", "td", "th", "a", "dt", "dd", "figcaption", "svg text"].flatMap(selector => {
    const element = document.querySelector(selector);
    if (!element) return [];
    const style = getComputedStyle(element);
    return [[selector, contrast(element.closest("svg") ? style.fill : style.color, background)]];
  }));
// A frame learns its size from the window around it, after its page is read.
const tell = () => innerWidth ? parent.postMessage(JSON.stringify({
  text: document.body.innerText, origin: String(window.origin), cookies,
  width: document.documentElement.scrollWidth,
  drawings: [...document.querySelectorAll("svg")].map(s => s.getBoundingClientRect().width),
  background: getComputedStyle(document.body).backgroundColor,
  contrasts: contrasts(getComputedStyle(document.body).backgroundColor),
  requests: performance.getEntriesByType("resource").map(entry => entry.name),
}), "*") : setTimeout(tell, 50);
tell();
</script>
"""
_AROUND = """<!doctype html><meta charset="utf-8"><body style="margin:0"><pre id="told"></pre>
<script>onmessage = event => document.getElementById("told").textContent = event.data</script>
<iframe sandbox="allow-scripts" style="width:{width}px;height:{height}px;border:0"
 srcdoc="{page}"></iframe>"""
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--virtual-time-budget=5000",
    # In a separate process the frame would not share the window's virtual time.
    "--disable-features=IsolateSandboxedIframes",
)  # fmt: skip


def chromium() -> str | None:
    """Return the browser's program, or None if there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def framed(page: str, *, width: int = 1000, height: int = 600) -> str:
    """Return the document of a window with the page in a frame of a size in pixels."""
    return _AROUND.format(width=width, height=height, page=escape(page))


def shown(
    page: str, folder: Path, browser: str, *, width: int = 1000, flags: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what a browser shows in the frame: text, origin, cookies, widths, colours, requests.

    Args:
        page: the document.
        folder: empty folder for the window's document and the browser's profile.
        browser: program of the browser.
        width: width of the frame in pixels.
        flags: further options of the browser.
    """
    window = folder / "window.html"
    window.write_text(framed(page + _PROBE, width=width), encoding="utf-8")
    command = [browser, *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    ended = subprocess.run(
        [*command, window.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    told = ended.stdout.partition('<pre id="told">')[2].partition("</pre>")[0]
    found: dict[str, Any] = json.loads(unescape(told))
    return found
