"""The form that Kubeflow Pipelines 2.17 makes of a compiled pipeline, as a page to look at.

    python -m scripts.run_form compiled/finetune_images.yaml -o form.html
    python -m scripts.run_form compiled/finetune_images.yaml -o form.html --screenshot form.png

By the rules of kubeflow/pipelines 2.17.0, frontend/src: pages/NewRunV2.tsx (what is above the
parameters, and that Start waits for them), components/NewRunParametersV2.tsx (a field for each
input of the root) and lib/NewRunParametersUtils.ts (values and complaints). A screenshot takes
chromium.
"""

from __future__ import annotations

import argparse
import html
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasoa.errors import NasoaError
from nasoa.pipelines.compiled_spec import CompiledPipeline, read

# protoMap
KINDS = {
    "NUMBER_DOUBLE": "double",
    "NUMBER_INTEGER": "integer",
    "STRING": "string",
    "BOOLEAN": "boolean",
    "LIST": "list",
    "STRUCT": "dict",
}
JSON_KINDS = ("LIST", "STRUCT")
MISSING = "Missing parameter."
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH = 820
_ABOVE = 760  # what is around the parameters, in pixels
_FIELD = 72
_STYLE = """
body { font: 14px Roboto, Arial, sans-serif; margin: 24px; color: #202124 }
h1 { font-size: 20px; font-weight: 500 } h2 { font-size: 16px; margin: 24px 0 8px }
fieldset { max-width: 600px; margin: 14px 0 0; padding: 0 12px 10px; border: 1px solid #bbb;
  border-radius: 4px; display: flex } legend { font-size: 12px; color: #5f6368; padding: 0 4px }
fieldset span { flex: 1; min-height: 18px; overflow: hidden; white-space: nowrap;
  text-overflow: ellipsis } .json { color: #c2185b; font-size: 12px } .wrong { color: red }
.start { display: inline-block; margin-top: 24px; padding: 8px 18px; border-radius: 4px;
  background: #0b57d0; color: #fff } .start.off { background: #ddd; color: #999 }
.told { max-width: 600px; white-space: pre-wrap; color: #5f6368 }
"""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of the form.

    Args:
        label: the parameter's name and type, which is all that the form tells of it.
        value: what stands in it at first.
        complaint: in red below it; empty for none.
        is_json: whether it has a button that opens an editor.
    """

    label: str
    value: str
    complaint: str
    is_json: bool


def fields(pipeline: CompiledPipeline) -> list[Field]:
    """The fields of the parameters, in their order."""
    defined = pipeline.spec["root"].get("inputDefinitions", {}).get("parameters", {})
    # The page reads the file, where the compiler has sorted them.
    return [_field(name, defined[name]) for name in sorted(defined)]


def _field(name: str, definition: Any) -> Field:
    kind = definition["parameterType"]
    known = "defaultValue" in definition
    value = _as_text(kind, definition["defaultValue"]) if known else ""
    return Field(
        label=f"{name} - {KINDS[kind]}",
        value=value,
        complaint="" if known else MISSING,
        is_json=kind in JSON_KINDS,
    )


def _as_text(kind: str, value: Any) -> str:
    """convertNonUserInputParamToString: JSON without blanks, numbers as JavaScript writes them."""
    if kind in JSON_KINDS:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def can_start(found: list[Field]) -> bool:
    """Whether the button is there to be pressed before anything is typed."""
    return not any(field.complaint for field in found)


def page(pipeline: CompiledPipeline) -> str:
    """The form as a document; above it the description, which the pipeline's own page shows."""
    info = pipeline.spec["pipelineInfo"]
    found = fields(pipeline)
    title = html.escape(info.get("displayName") or info["name"])
    off = "" if can_start(found) else " off"
    return "\n".join(
        [
            f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>",
            f"<h1>{title}</h1>",
            "<h2>Before: the pipeline's page</h2>",
            f"<div class=told>{html.escape(info.get('description', ''))}</div>",
            "<h2>Start a run: run details</h2>",
            _box("Run name *", ""),
            _box("Description", ""),
            _box("Experiment *", ""),
            _box("Service Account", ""),
            "<h2>Run parameters</h2>",
            "<div>Specify parameters required by the pipeline</div>",
            *_boxes(found),
            f"<div class='start{off}'>Start</div>",
        ]
    )


def _boxes(found: list[Field]) -> Iterator[str]:
    for field in found:
        yield _box(field.label, field.value, is_json=field.is_json)
        if field.complaint:
            yield f"<div class=wrong>{html.escape(field.complaint)}</div>"


def _box(label: str, value: str, *, is_json: bool = False) -> str:
    button = "<b class=json>OPEN JSON EDITOR</b>" if is_json else ""
    text = f"<span>{html.escape(value)}</span>{button}"
    return f"<fieldset><legend>{html.escape(label)}</legend>{text}</fieldset>"


def browser() -> str | None:
    """The command of a browser that makes screenshots; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def screenshot(document: Path, picture: Path, num_fields: int) -> None:
    """Write a picture of a page.

    Raises:
        NasoaError: there is no browser, or it fails.
    """
    command = browser()
    if command is None:
        raise NasoaError(
            f"expected one of {', '.join(BROWSERS)} for a screenshot; install chromium"
        )
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                command, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--hide-scrollbars", f"--user-data-dir={profile}", f"--screenshot={picture}",
                f"--window-size={WIDTH},{_ABOVE + _FIELD * num_fields}", document.as_uri(),
            ],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    if done.returncode or not picture.is_file():
        raise NasoaError(f"{command} made no screenshot: {done.stderr.strip()[-300:]}")


def main(arguments: list[str]) -> int:
    """Write the page, and the picture where one is asked for."""
    parser = argparse.ArgumentParser(description="The form of a run in Kubeflow Pipelines 2.17.")
    parser.add_argument("compiled", type=Path, help="a compiled pipeline")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html")
    parser.add_argument("--screenshot", type=Path, metavar="FILE.png")
    given = parser.parse_args(arguments)
    try:
        pipeline = read(given.compiled)
        given.output.write_text(page(pipeline), encoding="utf-8")
        if given.screenshot:
            screenshot(given.output.resolve(), given.screenshot.resolve(), len(fields(pipeline)))
    except NasoaError as error:
        sys.stderr.write(f"run_form: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
