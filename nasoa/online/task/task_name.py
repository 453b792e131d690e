"""Which task a fine-tune is of: fine-tunes of one data set inform each other most.

A task of the stream is its data set: name, class names, and how many images there are in all. The
seed is not part of it: other splits of the same images are the same task. Data that changed its
classes or its number of images is another task.

A collected run is of a random part of a data set. Runs of all its classes are of one task where
they have as many images; a part of the classes is a task of its own, since the record does not say
which classes they were. Looks at one training, which share a `run_id`, are of one task in any case,
and so are the runs of a group, whose `run_id`s differ behind a dot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from nasoa.records import CollectedRecord, Task


def task_name(task: Task) -> str:
    """What identifies the task of a request."""
    classes = hashlib.sha256("\0".join(task.class_names).encode()).hexdigest()[:12]
    num_images = task.num_train + task.num_val + task.num_test
    return f"{task.dataset}/{num_images}/{classes}"


def collected_names(records: Sequence[CollectedRecord]) -> list[str]:
    """What identifies the task of each record; a data set has as many classes as its largest part.

    Args:
        records: the whole table.
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
    """The data set that another is a part of: `houses4_224` has images of `houses4`.

    Nothing of one may be known where the other is held out.
    """
    return dataset.removesuffix("_224")
