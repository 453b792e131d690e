"""Download files of weights, and report how much of a file has arrived."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.request import Request, urlopen

from nasoa.partial_file import whole_file
from nasoa.work_progress import report_progress

CHUNK_BYTES = 2**20
STALLED_S = 60.0  # without data, after which a connection has failed
MB = 10**6
UNIT = "MB of weights"


def download(url: str, path: Path, hash_prefix: str) -> None:
    """Download a file. It is at `path` when it is complete and checked.

    Args:
        url: address of the file.
        path: where to save it; the folder must exist.
        hash_prefix: first digits of its SHA-256.

    Raises:
        OSError: the file cannot be downloaded or written.
        HTTPException: the server's answer is no HTTP, or is cut off.
        RuntimeError: the file has another hash.
    """
    request = Request(url, headers={"User-Agent": "torch.hub"})
    digest = hashlib.sha256()
    with (
        whole_file(path) as partial,
        partial.open("wb") as file,
        urlopen(request, timeout=STALLED_S) as answer,
    ):
        total = int(answer.headers.get("Content-Length") or 0)
        done = 0
        while chunk := answer.read(CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            if total:
                report_progress(UNIT, min(done, total) // MB, -(-total // MB))
        found = digest.hexdigest()
        if not found.startswith(hash_prefix):
            raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{found}")')
