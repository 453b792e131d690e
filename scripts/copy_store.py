"""Copy a store into a folder, or a folder back into a store: backup and restoring.

    python scripts/copy_store.py s3://nasoa /backup/nasoa
    python scripts/copy_store.py /backup/nasoa s3://nasoa

What is there already with the same size is left alone, so a copy that was cut off goes on, and a
second one brings what has come in since. Nothing is deleted. The address and keys of an S3 store
are those of the environment (NASOA_S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from nasoa.errors import InvalidInput, NasoaError, ObjectNotFound
from nasoa.store import ArtifactStore, keys, open_store

# Versions of the predictor first: what such a copy has not learned is then in the log, which is
# copied later, and is learned at the next update.
FIRST = keys.predictors("x").split("/", maxsplit=1)[0] + "/"


@dataclass
class Copied:
    """Objects by what became of them, and bytes that were written."""

    written: int = 0
    same: int = 0
    gone: int = 0
    num_bytes: int = 0


def copy(source: ArtifactStore, target: ArtifactStore) -> Copied:
    """Copy every object that the target does not have with the same size.

    An object that goes away meanwhile, like the checkpoint of a task that ends, is passed over.
    """
    done = Copied()
    for key in sorted(source.list(), key=lambda key: (not key.startswith(FIRST), key)):
        try:
            if _size(target, key) == source.stat(key).size_bytes:
                done.same += 1
                continue
            content = source.get(key)
        except ObjectNotFound:
            done.gone += 1
            continue
        target.put(key, content)
        done.written += 1
        done.num_bytes += len(content)
    return done


def _size(store: ArtifactStore, key: str) -> int | None:
    try:
        return store.stat(key).size_bytes
    except ObjectNotFound:
        return None


def main(argv: Sequence[str] | None = None) -> int:
    """Copy, and say what was done; returns the exit code."""
    parser = argparse.ArgumentParser(description="Copy a store.")
    parser.add_argument("source", help="folder or s3://bucket/prefix")
    parser.add_argument("target", help="folder or s3://bucket/prefix")
    given = parser.parse_args(argv)
    try:
        source, target = open_store(given.source), open_store(given.target)
        done = copy(source, target)
    except NasoaError as error:
        sys.stderr.write(f"copy_store: {error}\n")
        return 2 if isinstance(error, InvalidInput) else 1
    if not done.written and not done.same:
        sys.stderr.write(f"copy_store: expected objects in {source.uri}, but there are none\n")
        return 2
    sys.stdout.write(
        f"{done.written} objects written ({done.num_bytes / 1e6:.1f} MB), {done.same} were there, "
        f"{done.gone} went away meanwhile\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
