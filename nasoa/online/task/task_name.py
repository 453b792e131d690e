"""Names that identify tasks: fine-tunes of one data set are most informative about each other.

A task of the stream is identified by its data set: name, class names, and total number of images.
The seed is not part of the name: other splits of the same images are the same task. Data with other
classes or another number of images is another task.

A collected run uses a random subset of a data set. Runs on all classes belong to one task if they
have the same number of images. A subset of the classes is a separate task, since the record does
not contain which classes they were. Checkpoint evaluations of one training share a `run_id` and
always belong to one task, and so do the runs of a group, whose `run_id`s differ after a dot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from nasoa.records import CollectedRecord, Task


def task_name(task: Task) -> str:
    """Return the name that identifies the task of a request."""
    classes = hashlib.sha256("\0".join(task.class_names).encode()).hexdigest()[:12]
    num_images = task.num_train + task.num_val + task.num_test
    return f"{task.dataset}/{num_images}/{classes}"


def collected_names(records: Sequence[CollectedRecord]) -> list[str]:
    """Return the name that identifies the task of each record.

    The number of classes of a data set is taken to be the largest among its records.

    Args:
        records: all records of the collection.
    """
    known: dict[str, int] = {}
    for record in records:
        known[record.dataset] = max(known.get(record.dataset, 0), record.num_classes)
    return [
        f"{record.dataset}/{record.num_images}"
        if record.num_classes == known[record.dataset]
        else record.run_id.partition(".")[0]
        for record in records
    ]


def source_of(dataset: str) -> str:
    """Return the data set whose images another contains: `houses4_224` has images of `houses4`.

    If one of the two is held out, records of the other must be excluded as well.
    """
    return dataset.removesuffix("_224")
