"""The HTTP interface of a saved model: a FastAPI application that also speaks KServe's V1 protocol.

- `GET /`: description of the model. `GET /healthz`: readiness.
- `POST /predict`: image files as multipart form data; returns one answer per image.
- `GET /v1/models`, `GET /v1/models/NAME`, `POST /v1/models/NAME:predict`: KServe's V1 protocol. The
  body `{"instances": [{"b64": "..."}]}` returns `{"predictions": [...]}`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from fastapi import FastAPI, HTTPException, UploadFile
from fastapi.params import File
from pydantic import BaseModel, Field

from nasoa import __version__
from nasoa.scratch import ScratchFolder
from nasoa.steps.classifying import Answer, classify, load_classifier

MOST_IMAGES = 64  # per request
MOST_BYTES = 64 * 1024**2  # per image file
MOST_REQUEST_BYTES = 128 * 1024**2  # of all that a request sends, base64 and form included


# As the ASGI specification has them.
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]


class Instance(BaseModel):
    """An image file in base64."""

    b64: str


class Instances(BaseModel):
    """The body of a prediction request of KServe's V1 protocol."""

    instances: list[Instance] = Field(min_length=1)


class LimitedBody:
    """An ASGI application whose requests have at most `MOST_REQUEST_BYTES`; others get a 413.

    Requests are counted while they arrive, before anything is made of them.
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MOST_REQUEST_BYTES:
                raise HTTPException(
                    413,
                    f"expected a request of at most {MOST_REQUEST_BYTES} bytes; send fewer images",
                )
            return message

        await self._app(scope, counted, send)


def make_app(model_dir: str, name: str = "model") -> FastAPI:
    """Return the application that serves a saved model.

    Args:
        model_dir: folder or `s3://` prefix of the model.
        name: name of the model in the paths of KServe's V1 protocol.

    Raises:
        InvalidInput: there is no saved model.
    """
    classifier = load_classifier(model_dir)
    card = classifier.card
    known = {
        "name": name,
        "version": __version__,
        "task_id": card.task_id,
        "dataset": card.dataset,
        "class_names": list(card.class_names),
        "accuracy": card.accuracy,
        "resolution": card.regime.resolution,
    }
    app = FastAPI(title=f"nasoa: {card.dataset}", version=__version__)
    app.add_middleware(LimitedBody)

    def check_count(count: int) -> None:
        if count > MOST_IMAGES:
            raise HTTPException(413, f"expected at most {MOST_IMAGES} images, got {count}")

    def answers(contents: Sequence[bytes]) -> list[dict[str, Any]]:
        if any(len(content) > MOST_BYTES for content in contents):
            raise HTTPException(413, f"expected image files of at most {MOST_BYTES} bytes")
        with ScratchFolder() as folder:
            paths = [folder / f"{number:04d}" for number in range(len(contents))]
            for path, content in zip(paths, contents, strict=True):
                path.write_bytes(content)
            found = classify(classifier, map(str, paths))
            return [_document(answer, folder) for batch in found for answer in batch]

    @app.get("/")
    def describe() -> dict[str, Any]:
        return known

    @app.get("/healthz")
    def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/predict")
    def predict(images: Annotated[list[UploadFile], File()]) -> list[dict[str, Any]]:
        check_count(len(images))
        found = answers([image.file.read(MOST_BYTES + 1) for image in images])
        names = [image.filename or "" for image in images]
        return [{"image": n, **answer} for n, answer in zip(names, found, strict=True)]

    @app.get("/v1/models")
    def list_models() -> dict[str, Any]:
        return {"models": [name]}

    @app.get("/v1/models/{model}")
    def is_ready(model: str) -> dict[str, Any]:
        _check_name(model)
        return {"name": name, "ready": True}

    @app.post("/v1/models/{model}:predict")
    def predict_instances(model: str, body: Instances) -> dict[str, Any]:
        _check_name(model)
        check_count(len(body.instances))
        try:
            contents = [base64.b64decode(one.b64, validate=True) for one in body.instances]
        except binascii.Error as error:
            raise HTTPException(400, f"expected images in base64: {error}") from None
        return {"predictions": answers(contents)}

    def _check_name(model: str) -> None:
        if model != name:
            raise HTTPException(404, f"expected the model {name!r}, got {model!r}")

    return app


def _document(answer: Answer, folder: Path) -> dict[str, Any]:
    """Return an answer as JSON, without the path of the temporary file."""
    if answer.error:
        return {"error": answer.error.replace(f"{folder}/", "image ")}
    document = asdict(answer)
    del document["image"], document["error"]
    return document
