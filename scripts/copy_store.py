"""Copy a store into a folder, or a folder back into a store, for backup and restore.

    python scripts/copy_store.py s3://nasoa /backup/nasoa
    python scripts/copy_store.py /backup/nasoa s3://nasoa
    python scripts/copy_store.py s3://nasoa s3://nasoa-tenants/alice --only zoo/

Objects that exist already with the same size are skipped, so an interrupted copy can be resumed,
and a second one adds what is new. Nothing is deleted. The address and keys of an S3 store are those
of the environment (NASOA_S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from nasoa.errors import InvalidInput, NasoaError, ObjectNotFound
from nasoa.store import ArtifactStore, keys, open_store

# An object that disappears meanwhile, like an experience that is packed, is in the next listing.
PASSES = 10


@dataclass
class Copied:
    """Number of objects written, their bytes, and the number of objects of the source."""

    written: int = 0
    num_bytes: int = 0
    total: int = 0


def copy(source: ArtifactStore, target: ArtifactStore, only: str = "") -> Copied:
    """Copy every object whose key begins with `only`, unless the target has it with the same size.

    Versions of the predictor come first: experience that such a version has not learned is in the
    log, which is copied later, and is learned at the next update.
    """
    done = Copied()
    for _ in range(PASSES):
        listed = source.list(only)
        done.total = len(listed)
        gone = 0
        for key in sorted(listed, key=lambda key: (not key.startswith(keys.PREDICTORS), key)):
            try:
                if _size(target, key) == source.stat(key).size_bytes:
                    continue
                content = source.get(key)
            except ObjectNotFound:
                gone += 1
                continue
            target.put(key, content)
            done.written += 1
            done.num_bytes += len(content)
        if not gone:
            break
    return done


def _size(store: ArtifactStore, key: str) -> int | None:
    try:
        return store.stat(key).size_bytes
    except ObjectNotFound:
        return None


def main(argv: Sequence[str] | None = None) -> int:
    """Copy, and print what was done; return the exit code."""
    parser = argparse.ArgumentParser(description="Copy a store.")
    parser.add_argument("source", help="folder or s3://bucket/prefix")
    parser.add_argument("target", help="folder or s3://bucket/prefix")
    parser.add_argument("--only", default="", metavar="PREFIX", help="like zoo/; default: all")
    given = parser.parse_args(argv)
    try:
        source, target = open_store(given.source), open_store(given.target)
        done = copy(source, target, given.only)
    except NasoaError as error:
        sys.stderr.write(f"copy_store: {error}\n")
        return 2 if isinstance(error, InvalidInput) else 1
    if not done.total:
        sys.stderr.write(
            f"copy_store: expected objects in {source.uri}/{given.only}, but there are none\n"
        )
        return 2
    sys.stdout.write(
        f"{done.written} objects written ({done.num_bytes / 1e6:.1f} MB) of {done.total}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
