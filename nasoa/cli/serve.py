"""`nasoa serve`: serve a saved model over HTTP."""

from __future__ import annotations

import argparse
import sys

from nasoa.cli.output import Subparsers
from nasoa.errors import InvalidInput

DEFAULT_PORT = 8080


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `serve`."""
    serve = verbs.add_parser(
        "serve",
        parents=[shared],
        help="serve a saved model over HTTP",
        description="Answer POST /predict (images as multipart files) and KServe's "
        "POST /v1/models/NAME:predict; GET /docs describes both. Requires nasoa[serve].",
    )
    serve.add_argument(
        "model_dir", metavar="MODEL_DIR", help="folder in which finetune saved the model"
    )
    serve.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"default: {DEFAULT_PORT}")
    serve.add_argument("--host", default="127.0.0.1", help="default: this machine only")
    serve.add_argument("--name", default="model", help="name of the model (default: model)")
    serve.set_defaults(run=run_serve)


def run_serve(arguments: argparse.Namespace) -> None:
    """Serve until the process is terminated.

    Raises:
        InvalidInput: there is no saved model, or the packages for serving are not installed.
    """
    try:
        import uvicorn  # noqa: PLC0415  (optional)

        from nasoa.serving.app import make_app  # noqa: PLC0415
    except ImportError:
        raise InvalidInput(
            "expected the packages for serving, which are not installed: pip install 'nasoa[serve]'"
        ) from None
    app = make_app(arguments.model_dir, arguments.name)
    sys.stderr.write(f"serving {arguments.model_dir} on http://{arguments.host}:{arguments.port}\n")
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="warning")
