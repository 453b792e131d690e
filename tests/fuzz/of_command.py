"""Command lines: verbs, flags, values and variables, run as a shell would run them.

What would train, serve or reach the network is parsed only.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random

from nasoa.cli import main
from nasoa.cli.main import build_parser
from nasoa.errors import InvalidInput, NasoaError
from tests.fuzz import of_checkpoint, of_encoding, of_jpeg, of_png, of_zip
from tests.fuzz.given import png
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import ODD_INTS, damaged_text, odd_text, often, reordered, some
from tests.fuzz.oracle import check_line
from tests.random_model import random_model

# Arguments, variables, and standard input; {given} stands for the folder of files.
Case = tuple[list[str], dict[str, str], bytes]

GIVEN = "{given}"
STORE = ("--store", f"{GIVEN}/store")
_TEXT, _INT, _FLOAT, _LIMIT, _SEED, _DATA, _ENCODING = [
    "text",
    "int",
    "float",
    "limit",
    "seed",
    "data",
    "encoding",
]
_TARGET, _IMAGE, _NAME, _STORE, _MODEL = ["target", "image", "name", "store", "model"]

# Verb -> positional arguments, and flags with the kind of their values; "" for those without one.
RUN: dict[str, tuple[list[str], dict[str, str]]] = {
    "arch stats": ([_ENCODING], {"--resolution": _INT, "--classes": _INT, "--json": ""}),
    "arch sample": (
        [],
        {"--space": "space", "-n": "few", "--seed": _SEED, "--scale": "scale", "--cells": "block"},
    ),
    "zoo list": ([], {"--json": "", "--store": _STORE}),
    "zoo show": ([_NAME], {"--json": "", "--store": _STORE}),
    "zoo add": (
        ["weights"],
        {"--encoding": _ENCODING, "--resolution": _INT, "--accuracy": _FLOAT, "--name": _NAME},
    ),
    "zoo import": (["folder"], {}),
    "task describe": ([_DATA], {"--seed": _SEED, "--json": ""}),
    "recommend": (
        [_DATA],
        {"--time-limit": _LIMIT, "--top": _INT, "--explore": _FLOAT, "--model": _NAME,
         "--method": "method", "--clock": "clock"},
    ),
    "finetune": (
        [_DATA],
        {"--time-limit": _LIMIT, "--seed": _SEED, "--out": _TARGET, "--resume": "", "--json": ""},
    ),
    "predict": ([_MODEL, _IMAGE, _IMAGE], {"--format": "format", "--json": ""}),
    "export": (["nomodel"], {"--format": "export", "-o": _TARGET, "--check": _IMAGE}),
    "predictor show": ([], {"--version": _INT, "--last": _INT, "--json": "", "-o": _TARGET}),
    "predictor rollback": ([_INT], {"--relearn": ""}),
    "predictor learn": ([_NAME, _NAME], {}),
    "predictor evaluate": (
        ["table"],
        {"--target": _NAME, "--group": _NAME, "--run": _NAME, "--drop": _NAME, "--feedback": _INT},
    ),
    "predictor table": ([], {"-o": _TARGET}),
    "search show": ([_NAME], {"-o": _TARGET, "--store": _STORE}),
    "search run": ([_NAME], {"--space": "space", "--max-evaluations": _INT, "--patience": _INT}),
    "report": ([], {"-o": _TARGET}),
    "store compact": ([], {"--block-size": _INT, "--json": ""}),
    "store metrics": ([], {"--json": "", "--store": _STORE}),
    "data shard": ([_DATA], {"-o": _TARGET, "--images-per-shard": _INT, "--seed": _SEED}),
}  # fmt: skip
PARSED: dict[str, tuple[list[str], dict[str, str]]] = {
    "serve": ([_MODEL], {"--port": _INT}),
    "doctor": ([], {"--cluster": "", "-p": _TEXT, "--check": ""}),
    "meta-train": (
        [_DATA],
        {
            "--runs": _INT,
            "--shard": _INT,
            "--iterations": _INT,
            "--limits": _LIMIT,
            "--seed": _SEED,
        },
    ),
    "zoo build": ([], {"--search": _NAME, "--data": _DATA, "--models": _INT, "--epochs": _INT}),
    "zoo profile": ([_NAME], {"--repeats": _INT}),
    "zoo pull": ([], {"--series": _TEXT, "--to": _STORE}),
    "search run": (
        [_NAME],
        {
            "--space": "space",
            "--data": _DATA,
            "--epsilon": _FLOAT,
            "--blocks": _INT,
            "--lr": _FLOAT,
        },
    ),
    "pipeline run": ([_NAME], {"-p": _TEXT, "--host": _TEXT, "--wait-limit": _LIMIT, "--wait": ""}),
    "store metrics": ([], {"--port": _INT}),
    "pipeline lint": (["file"], {"--json": ""}),
    "pipeline compile": (["nopipeline"], {"-o": _TARGET, "--parallelism": _INT}),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "space": ("block", "macro", "Block", ""),
    "scale": ("small", "paper", "large"),
    "method": ("default", "paper", "best"),
    "clock": ("wall", "steps", "sun"),
    "format": ("jsonl", "csv", "xml"),
    "export": ("onnx", "torchscript", "h5"),
    "few": ("1", "3", "0", "-1", "x", "9" * 30, "9" * 5000, str(2**63)),
    "block": ("020-", "0-", "011-a02", "9-", "", "x" * 300),
    _LIMIT: ("30s", "1h", "0", "-5s", "soon", "1e9", "9" * 400 + "h", "nan", "1" * 6000),
    _SEED: ("0", "1", "-1", "4294967296", "x", "\u0661", "\u00b2", "9" * 5000),
    _MODEL: (*[f"{GIVEN}/model"] * 2, f"{GIVEN}/broken", f"{GIVEN}/none", f"{GIVEN}/0.png"),
    "nomodel": (f"{GIVEN}/broken", f"{GIVEN}/none", "", "s3://", f"{GIVEN}/0.png"),
    _TARGET: (f"{GIVEN}/out.html", f"{GIVEN}/out.csv", GIVEN, "", "/proc/none/x.html",
              f"{GIVEN}/0.png/x", "/" + "x" * 5000),
    _IMAGE: (f"{GIVEN}/0.png", f"{GIVEN}/bad.jpg", f"{GIVEN}/bad.png", f"{GIVEN}/none.png", GIVEN,
             "-", f"{GIVEN}/*.png", f"{GIVEN}/[", "**/*", "", "\udcff.png", "x" * 5000),
    _DATA: (f"{GIVEN}/bad.zip", f"{GIVEN}/none", f"{GIVEN}/0.png", "sklearn:iris", "torchvision:X",
            "s3://", "s3://b/x", "shards:", "shards:{", f"shards:{GIVEN}", "", f"{GIVEN}/runs.csv"),
    "weights": (f"{GIVEN}/bad.pth", f"{GIVEN}/good.pth", f"{GIVEN}/none.pth", "nosuch:x", "lite:x",
                "torchvision:nosuch", ":", "::", GIVEN, ""),
    "folder": (GIVEN, f"{GIVEN}/none", f"{GIVEN}/0.png", f"{GIVEN}/model"),
    "table": (f"{GIVEN}/runs.csv", f"{GIVEN}/bad.png", f"{GIVEN}/none.csv", GIVEN),
    "file": (f"{GIVEN}/runs.csv", f"{GIVEN}/0.png", f"{GIVEN}/none.yaml", GIVEN, "/dev/null"),
    "nopipeline": ("finetune", "x", "", "finetune_task_", "../x"),
    _STORE: (f"{GIVEN}/store", f"{GIVEN}/none", f"{GIVEN}/0.png", "s3://b/x", "s3://", "ftp://x",
             "", "file://", "s3://B_/../x", "x" * 5000, "s3://b\n/x"),
}  # fmt: skip
_VARIABLES = {
    "NASOA_STORE": ("", "s3://", "a\nb", "\x1b[31m"),
    "NASOA_LOG": ("json", "text", "xml", "\x1b"),
    "NASOA_STORE_PATIENCE": ("2m", "soon", "-1"),
    "NASOA_CACHE_BYTES": ("0", "x", "-5", "9" * 5000, "1e3", "nan"),
    "NASOA_S3_ENDPOINT": ("x y", "", "http://", "s3://x"),
    "NASOA_THREADS": ("0", "x"),
}


def make(rng: Random) -> Case:
    table = RUN if rng.random() < 0.75 else PARSED
    verb = some(rng, sorted(table))
    positional, flags = table[verb]
    words = [*verb.split(" "), *(_value(rng, kind) for kind in positional)]
    for flag in [flag for flag in flags if rng.random() < 0.6]:
        value = _value(rng, flags[flag])
        if not flags[flag]:
            words.append(flag)
        elif rng.random() < 0.3:
            words.append(f"{flag}={value}")
        else:
            words += [flag, value]
    if "--store" not in flags:
        words += STORE
    if rng.random() < 0.4:
        _mutate(rng, words)
    if table is PARSED:
        words.insert(0, "")  # see `run`
    words = [word.replace("\0", "") for word in words]  # which no shell can give
    variables = {}
    if rng.random() < 0.15:
        name = some(rng, sorted(_VARIABLES))
        variables[name] = some(rng, _VARIABLES[name])
    given = f"{GIVEN}/0.png\n{GIVEN}/none\n\n\xff\n".encode("latin-1")
    return words, variables, given if rng.random() < 0.8 else b""


def _value(rng: Random, kind: str) -> str:
    if kind in _CHOICES:
        return some(rng, _CHOICES[kind])
    if kind == _INT:
        return rng.choice((str(some(rng, ODD_INTS)), str(rng.randrange(70)), odd_text(rng)))
    if kind == _FLOAT:
        return rng.choice(("0.5", "0", "-1", "nan", "inf", "1e400", "x", "1_0", odd_text(rng)))
    if kind == _ENCODING:
        return of_encoding.make(rng)[:30_000]
    if kind == _NAME:
        return rng.choice(("ET-NAS-A", "x", "known", odd_text(rng)))
    return odd_text(rng)


def _mutate(rng: Random, words: list[str]) -> None:
    """Change words, but for the values that name files."""
    for _ in often(rng):
        at = rng.randrange(len(words))
        if GIVEN in words[at] or "s3" in words[at]:
            continue
        choice = rng.randrange(4)
        if choice == 0 and words[at].startswith("--"):
            words[at] = words[at][: rng.randrange(2, len(words[at]) + 1)]
        elif choice == 1 and words[at].startswith("-"):
            words[at] = damaged_text(rng, words[at])
        elif choice == 2:
            words.insert(
                at, rng.choice(("--json", "--verbose", "--help", "--version", "--nosuch", "--"))
            )
        elif not any(GIVEN in word for word in words[2:]):
            reordered(rng, words)


@cache
def _files() -> dict[str, bytes]:
    rng = Random(0)
    good = random_model(("a", "b"))[0]
    zipped = of_zip.whole()
    zipped.entries = zipped.entries[:3]  # one class
    return {
        "0.png": png(),
        "bad.jpg": of_jpeg.make(rng),
        "bad.png": of_png.seeds()[0][:60],
        "bad.zip": zipped.to_bytes(),
        "good.pth": of_checkpoint._saved(True),
        "bad.pth": of_checkpoint._saved(True)[:-30],
        "runs.csv": b"model,accuracy\nm,0.5\nn,0.7\n",
        **{f"model/{name}": raw for name, raw in good.items()},
        **{f"broken/{name}": raw[:-9] for name, raw in good.items()},
    }


def run(case: Case, folder: Path) -> None:
    """Run it; its standard output and error have to be as promised."""
    words, variables, given = case
    for name, content in _files().items():
        path = folder / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
    argv = [word.replace(GIVEN, str(folder)) for word in words]
    with _captured(given.replace(GIVEN.encode(), os.fsencode(folder)), variables) as (out, err):
        code = _run(argv)
    _check(code, argv, out.getvalue(), err.getvalue())


def _run(argv: list[str]) -> int:
    try:
        if argv[0]:
            return main(argv)
        try:
            build_parser().parse_args(argv[1:])
        except NasoaError as error:
            sys.stderr.write(f"nasoa: {error}\n")
            return 2
        sys.stdout.write("parsed\n")
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def _check(code: int, argv: list[str], out: str, err: str) -> None:
    assert code in (0, 1, 2), code
    lines = err.splitlines()
    for line in lines:
        check_line(line)
    told = [line for line in lines if line.startswith("nasoa: ")]
    assert len(told) == (0 if code == 0 else 1), err
    for line in out.split("\n"):
        assert line.replace("\t", " ").isprintable() or not line, repr(line[:200])
    if code == 0 and "--json" in argv and argv[0] and not out.startswith(("usage: ", "nasoa ")):
        json.loads(out)
    if code:
        raise InvalidInput(told[0])


@contextmanager
def _captured(
    given: bytes, variables: Mapping[str, str]
) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Standard streams and the environment of a command of its own."""
    before = sys.stdin, sys.stdout, sys.stderr
    environment = dict(os.environ)
    out, err = io.StringIO(), io.StringIO()
    sys.stdin, sys.stdout, sys.stderr = io.TextIOWrapper(io.BytesIO(given)), out, err
    os.environ.update(variables)
    try:
        yield out, err
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        os.environ.clear()
        os.environ.update(environment)


def warm_up() -> Iterable[Case]:
    lines = (
        ["arch", "stats", "020- 8 1-2-1-2", *STORE],
        ["arch", "sample", "--space", "block", *STORE],
        ["zoo", "list", "--json", *STORE],
        ["predict", f"{GIVEN}/model", f"{GIVEN}/0.png", *STORE],
        ["predictor", "show", *STORE],
        ["store", "metrics", *STORE],
        ["report", "-o", f"{GIVEN}/out.html", *STORE],
    )
    return [(line, {}, b"") for line in lines]


KIND = Kind(make, run, warm_up)
