"""`nasoa serve`: serve a saved model over HTTP."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress

from nasoa.cli.listening import bound_socket, refused_address, url_of
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
    serve.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help=f"port; 0 for any free one (default: {DEFAULT_PORT})",
    )
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to serve on, like 0.0.0.0 in a container (default: this machine only)",
    )
    serve.add_argument("--name", default="model", help="name of the model (default: model)")
    serve.set_defaults(run=run_serve)


def run_serve(arguments: argparse.Namespace) -> None:
    """Serve until the process is terminated.

    Raises:
        InvalidInput: there is no saved model, the port is not free, or the packages for serving
            are not installed.
    """
    try:
        import uvicorn  # noqa: PLC0415  (optional)

        from nasoa.serving.app import make_app  # noqa: PLC0415
    except ImportError:
        raise InvalidInput(
            "expected the packages for serving, which are not installed: pip install 'nasoa[serve]'"
        ) from None
    host: str = arguments.host
    with bound_socket(host, arguments.port) as bound:
        app = make_app(arguments.model_dir, arguments.name)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        with refused_address(host, arguments.port):
            bound.listen()
        sys.stderr.write(f"serving {arguments.model_dir} on {url_of(host, bound)}\n")
        with suppress(KeyboardInterrupt):  # the usual end, with exit code 0
            server.run(sockets=[bound])
