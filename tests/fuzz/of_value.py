"""Values of flags, variables and parameters that have a form of their own."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

from nasoa.cli.output import seed
from nasoa.data import bucket_uri
from nasoa.data.class_names import readable
from nasoa.data.shard_paths import expand_braces, find_shards
from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput
from nasoa.pipelines.cron import parse as parse_cron
from nasoa.plain_text import escaped
from nasoa.redaction import redacted
from nasoa.steps.search_settings import read_settings
from nasoa.store import open_store
from nasoa.store.protocol import check_key
from nasoa.zoo import torchvision_models
from nasoa.zoo.backbones import Builder
from nasoa.zoo.series import models_of
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import damaged_text, odd_text, some
from tests.fuzz.oracle import check_line

# The reader, and the text.
Case = tuple[str, str]


def _seed(text: str) -> None:
    try:
        seed(text)
    except (argparse.ArgumentTypeError, ValueError) as error:  # argparse makes a line of either
        raise InvalidInput(str(error)) from None


def _shown(text: str) -> None:
    check_line(f".{escaped(text[:1000])}")
    check_line(f".{readable(text[:1000])}")


def _in_a_message(text: str) -> None:
    check_line(str(InvalidInput(f"expected another, got {text!r}")))


READERS: dict[str, tuple[Callable[[str], object], tuple[str, ...]]] = {
    "duration": (parse_duration, ("45", "45s", "1.5m", "1h30m", "10 min", "500ms", "2h 5m")),
    "cron": (
        parse_cron,
        ("0 3 * * *", "0 0 3 * * *", "@daily", "*/5 1-3,7 1 jan-mar mon", "0 0 29 2 *"),
    ),
    "braces": (
        lambda text: expand_braces(text, text),
        ("train-{000000..000146}.tar", "{train,val}-{08..10}.tar", "a{b,c}{d,e}{0..9}"),
    ),
    # Below an empty folder, as a whole file system takes as long to search as it is large.
    "shards": (lambda text: find_shards(f"./{text}", text), ("shards/train-{0..3}.tar", "none")),
    "bucket": (bucket_uri, ("s3://bucket/prefix", "shards:s3://b/x", "x.zip")),
    "store": (lambda text: open_store(text).uri, ("./.nasoa", "file:/tmp/x", "~/x", "ftp://x")),
    "key": (check_key, ("experience/t.json", "zoo/a/v0001/zoo.json")),
    "seed": (_seed, ("0", "17", "4294967295")),
    "builder": (Builder.parse, ("torchvision:resnet18:IMAGENET1K_V1", "lite:efficientnet-lite0")),
    "series": (models_of, ("resnet", "resnet,mobilenet")),
    "settings": (read_settings, ('{"num_children": 4, "patience": 3}', '{"epsilon": [1, 0.5]}')),
    "shown": (_shown, ("a name", "caf\u00e9")),
    "message": (
        _in_a_message,
        ("http://me:hunter2@store:9000/b?X-Amz-Signature=0a1b", "password=abc token: x1", "a.b-c"),
    ),
    "redacted": (
        redacted,
        ('{"secret_key": "abc"}', "Authorization: Bearer abc", "<Secret>x</Secret>"),
    ),
}
# What repeats may keep a search for a pattern busy.
_REPEATED = (
    *("a", "a.", "a-", "a://", "secret", "token", "password=", "://a:", "@", "<secret>", "'", "9"),
    *("x y ", "bearer ", "eyJ", "{0..9}", "{a,b}", "{", "1h", "*,", "1-2,", "[", " "),
)


def make(rng: Random) -> Case:
    name = some(rng, sorted(READERS))
    _read, examples = READERS[name]
    text = some(rng, examples)
    choice = rng.random()
    if choice < 0.15:
        text = odd_text(rng)
    elif choice < 0.2:
        piece = some(rng, _REPEATED)
        text = text[: rng.randrange(len(text) + 1)] + piece * rng.choice(
            (10, 300, 60_000 // len(piece))
        )
    else:
        text = damaged_text(rng, text)
    return name, text


def run(case: Case, _folder: Path) -> None:
    name, text = case
    READERS[name][0](text)


def warm_up() -> Iterable[Case]:
    torchvision_models.names()  # imported when a name is not known
    return [
        (name, examples[0])
        for name, (_read, examples) in READERS.items()
        if name not in ("shards", "series")
    ]


KIND = Kind(make, run, warm_up)
