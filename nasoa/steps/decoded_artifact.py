"""Pass the decoded images of a task from the pod that describes it to the one that fine-tunes."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nasoa.errors import CorruptRecord
from nasoa.records import Task
from nasoa.steps.lineage import Artifact

if TYPE_CHECKING:
    from nasoa.steps.task_session import TaskSession

logger = logging.getLogger(__name__)


def hand_over(session: TaskSession, task: Task, decoded: Artifact) -> Task:
    """Write the decoded images of a task, if decoding them again would take longer.

    Otherwise, or if they cannot be written, the artifact's file is empty, because KFP fails a step
    that lacks an input; the images are then decoded again.

    Returns:
        The task, with the time and energy that this took included.
    """
    from nasoa.data.decoded_file import is_worth_handing_over, write_decoded  # noqa: PLC0415

    path = Path(decoded.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    if session.dataset is None or not is_worth_handing_over(session.dataset):
        return task
    try:
        write_decoded(session.dataset, path)
    except OSError as error:
        logger.warning("the decoded images cannot be passed on: %s", error)
        path.write_bytes(b"")
    return replace(task, used_s=session.clock().elapsed_s(), energy=session.energy())


def take_over(session: TaskSession, task: Task, decoded: Artifact | None) -> None:
    """Give a session the images that the previous step has decoded, if they can be used.

    Otherwise the session stays without images, and the data are read again.
    """
    if decoded is None:
        return
    from nasoa.data.decoded_file import read_decoded  # noqa: PLC0415  (torch)
    from nasoa.steps.compute_meta_features import difference  # noqa: PLC0415  (torch)

    path = Path(decoded.path)
    try:
        if not path.stat().st_size:
            return
        dataset = read_decoded(path)
    except (CorruptRecord, OSError) as error:
        logger.warning("the decoded images cannot be used, so the data is read again: %s", error)
        return
    change = difference(task, dataset)
    if change:
        logger.warning(
            "the decoded images belong to another task, so the data is read again: %s", change
        )
        return
    session.dataset = dataset
