r"""Pretrain models for the package with a teacher, one after another or in turns.

    python -m scripts.teach_package --data FOLDER --epochs 100 --resolution 96
    python -m scripts.teach_package --data FOLDER --minutes 50 --turn-minutes 10 \
        --students ET-NAS-A ET-NAS-B "resnet18-narrow=020- 32 11-21-21-21" --family ResNet

The images are those of Tiny ImageNet, with its labels, and the training images of the meta-training
data sets that `benchmarks.transfer` judges weights on, without theirs. Students learn as
`scripts/pretrain_starter.py` trains them, and each gets its files in --output, for
`python -m benchmarks.transfer run --weights`.

Resumable: the same command skips students that are finished and continues the others from their
checkpoints, at most half a minute old. --minutes ends it in time, with a checkpoint and exit code
75, for machines that are lent for a while; the teacher's features, which are computed first, are
not interrupted, but continue where they were killed. It uses a GPU if there is one, else all cores;
on cores that other work uses, --threads 1 is faster. On many cores or a large GPU, start it several
times with different --students: they share the features.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.arguments import positive
from benchmarks.refusal import in_one_line
from benchmarks.transfer.plan import known_sets
from nasoa.errors import InvalidInput
from nasoa.records import from_json
from nasoa.training.hardware import use_threads
from nasoa.zoo.entries import Card
from scripts.pretrain_starter import (
    Images,
    Request,
    add_recipe,
    pretrain_model,
    recipe,
    start,
)

SOURCE = "tinyimagenet200"
STUDENTS = (
    *("ET-NAS-A", "ET-NAS-B", "ET-NAS-C", "ET-NAS-D"),
    *("torchvision:mobilenet_v3_small", "torchvision:regnet_y_400mf"),
)
UNFINISHED = 75  # EX_TEMPFAIL: the same command continues


def main() -> None:
    """Pretrain what is not finished."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with the archives")
    parser.add_argument(
        "--students",
        nargs="+",
        default=list(STUDENTS),
        metavar="MODEL",
        help="as in pretrain_starter.py, or NAME=MODEL to name it",
    )
    parser.add_argument("--family", default="", help="family of the students that are named")
    add_recipe(parser, teacher="efficientnet-lite2")
    parser.add_argument("--hours", type=positive, default=24.0, help="most for a student, in all")
    parser.add_argument("--minutes", type=positive, default=math.inf, help="end after so long")
    parser.add_argument(
        "--turn-minutes", type=positive, default=math.inf, help="change the student after so long"
    )
    parser.add_argument("--threads", type=int, default=0, help="default: one for each core")
    parser.add_argument("--work", type=Path, default=Path("build/pretrain"))
    parser.add_argument("--output", type=Path, default=Path("build/taught"))
    arguments = parser.parse_args()
    ends_s = time.monotonic() + 60 * arguments.minutes
    with in_one_line(parser):
        use_threads(arguments.threads)
        left = unfinished(requests(arguments))
        if left:
            images = Images.of(left[0])  # the same for all
            if images.lesson is not None:
                images.lesson.compute()
            left = take_turns(left, images, 60 * arguments.turn_minutes, ends_s)
    if left:
        names = " ".join(request.name or request.model for request in left)
        sys.stderr.write(f"not finished: {names}; the same command continues\n")
        sys.exit(UNFINISHED)


def requests(arguments: argparse.Namespace) -> list[Request]:
    """Return the pretraining of each student.

    Raises:
        InvalidInput: an archive is missing, there is no teacher, or two students have one name.
        UnknownName: there is no model of a student's name.
        EncodingError: the encoding of a student is of no network.
    """
    if not arguments.teacher:
        raise InvalidInput("expected --teacher, got none; leave it out for efficientnet-lite2")
    paths = [arguments.data / f"{name}.zip" for name in (SOURCE, *known_sets())]
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        raise InvalidInput(
            f"expected {', '.join(missing)} in {arguments.data}, the images of the meta-training "
            "data sets; name their folder with --data"
        )
    source, *others = map(str, paths)
    config = recipe(arguments)
    found: dict[str, Request] = {}
    for text in arguments.students:
        name, is_named, model = text.rpartition("=")
        request = Request(
            model=model,
            name=name,
            family=arguments.family if is_named else "",
            data=source,
            unlabelled=tuple(others),
            config=config,
            limit_s=3600 * arguments.hours,
            work=arguments.work,
            output=arguments.output,
        )
        made = start(request, num_classes=2).name  # a student that cannot be built is refused now
        if made in found:
            raise InvalidInput(f"expected students of different names, got {made} twice")
        found[made] = request
    return list(found.values())


def unfinished(asked: Sequence[Request]) -> list[Request]:
    """Return the pretrainings whose result, by the same command, is not in the output yet."""
    found = {
        from_json(path.read_bytes(), Card, str(path)).command
        for output in {request.output for request in asked}
        for path in output.glob("*.json")
    }
    return [request for request in asked if request.command not in found]


def take_turns(
    asked: Sequence[Request], images: Images, turn_s: float, ends_s: float
) -> list[Request]:
    """Pretrain students round by round until all are finished or the time is over.

    Args:
        asked: the pretrainings.
        images: their images.
        turn_s: seconds of a student before the next one's turn; infinite to finish each.
        ends_s: `time.monotonic()` at which the last turn ends.

    Returns:
        Those that are not finished.
    """
    left = list(asked)
    while left:
        for request in tuple(left):
            began_s = time.monotonic()
            if began_s >= ends_s:
                return left
            if pretrain_model(request, images, turn_ends_s=min(began_s + turn_s, ends_s)):
                left.remove(request)
    return left


if __name__ == "__main__":
    main()
