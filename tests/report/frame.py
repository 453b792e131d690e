"""A page as the user interface of Kubeflow Pipelines shows it, in a real browser.

Its HTML viewer sets `srcdoc` of an iframe with `sandbox="allow-scripts"` (HTMLViewer.tsx of
kubeflow/pipelines): scripts run, but the page has no origin, no cookies and no storage.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

# Reports to the parent window what is in the page, and what the sandbox allows.
_PROBE = """
<script>
let cookies = "allowed";
try { document.cookie } catch (error) { cookies = error.name }
// A frame learns its size from the window around it, after its page is read.
const tell = () => innerWidth ? parent.postMessage(JSON.stringify({
  text: document.body.innerText, origin: String(window.origin), cookies,
  width: document.documentElement.scrollWidth,
  drawings: [...document.querySelectorAll("svg")].map(s => s.getBoundingClientRect().width),
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


def shown(page: str, folder: Path, browser: str, *, width: int = 1000) -> dict[str, Any]:
    """Return what a browser shows in the frame: text, origin, cookies, widths, requests."""
    window = folder / "window.html"
    window.write_text(framed(page + _PROBE, width=width), encoding="utf-8")
    command = [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    ended = subprocess.run(
        [*command, window.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    told = ended.stdout.partition('<pre id="told">')[2].partition("</pre>")[0]
    found: dict[str, Any] = json.loads(unescape(told))
    return found
