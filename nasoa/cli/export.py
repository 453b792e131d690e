"""`nasoa export`: write a saved model for other runtimes."""

from __future__ import annotations

import argparse
from io import BytesIO

from nasoa.cli.output import Subparsers, show, work_bars

FORMATS = ("onnx", "torchscript")  # as in nasoa.online.tuning, which takes a second to import


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `export`."""
    export = verbs.add_parser(
        "export",
        parents=[shared],
        help="write a saved model for other runtimes",
        description="Write a saved model as one file for ONNX Runtime or TorchScript, after "
        "checking that it gives the same probabilities. The file includes all preprocessing "
        "except resizing, which its metadata describe.",
    )
    export.add_argument(
        "model_dir", metavar="MODEL_DIR", help="folder in which finetune saved the model"
    )
    export.add_argument("--format", required=True, choices=FORMATS, help="format of the file")
    export.add_argument(
        "-o",
        "--out",
        default="",
        metavar="FILE",
        help="file to write (default: MODEL_DIR's name, in the current folder)",
    )
    export.add_argument(
        "--check",
        nargs="+",
        default=[],
        metavar="IMAGE",
        help="images, folders or patterns for the check (default: test images of the model's data "
        "if these are still there, or else made-up images)",
    )
    export.set_defaults(run=run_export)


def run_export(arguments: argparse.Namespace) -> None:
    """Export a model, and print where it is and how it was checked."""
    from nasoa.data import find_images  # noqa: PLC0415  (torch takes a second)
    from nasoa.steps.export_model import export_model  # noqa: PLC0415

    images = list(find_images(arguments.check, BytesIO()).paths) if arguments.check else ()
    with work_bars():
        done = export_model(
            arguments.model_dir, arguments.format, arguments.out, images, arguments.store
        )
    reason = f"They are made up because {done.synthetic_because}; --check takes real ones.\n"
    show(
        arguments,
        done,
        f"Wrote {done.file} ({done.num_bytes / 1e6:.1f} MB). On {done.checked} {done.checked_on} "
        f"its probabilities differ by at most {done.largest_difference:.1e}.\n"
        f"{reason if done.is_synthetic else ''}"
        f"Its input is images of {done.resolution} x {done.resolution} pixels, (n, 3, "
        f"{done.resolution}, {done.resolution}) uint8; its output is (n, {len(done.class_names)}) "
        "probabilities.",
    )
