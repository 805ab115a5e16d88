"""The services people make by hand, for comparison: an echo, FastAPI + joblib, plain BentoML."""

from __future__ import annotations

import os
from typing import Any

from pydantic import BaseModel

COLUMNS = os.environ.get("BENCH_COLUMNS", "").split(",")
PIPELINE = os.environ.get("BENCH_PIPELINE", "")


class Rows(BaseModel):
    """The body that the hand-made service takes."""

    rows: list[dict[str, Any]]


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The least a server can do: reads the body, sends it back."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    message = await receive()
    body = message["body"]
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def fastapi_joblib() -> Any:
    """FastAPI, a pydantic body, the pickled scikit-learn pipeline: the usual first service."""
    import joblib
    import pandas as pd
    from fastapi import FastAPI

    app = FastAPI()
    pipeline = joblib.load(PIPELINE)

    @app.post("/predict")
    def predict(body: Rows) -> dict[str, Any]:
        frame = pd.DataFrame(body.rows)[COLUMNS]
        probabilities = pipeline.predict_proba(frame)
        labels = pipeline.classes_[probabilities.argmax(axis=1)]
        return {"predictions": labels.tolist(), "probabilities": probabilities.tolist()}

    return app


if PIPELINE and os.environ.get("BENCH_BENTOML"):
    import bentoml

    @bentoml.service
    class Plain:
        """As BentoML's own first example does it."""

        def __init__(self) -> None:
            import joblib

            self.pipeline = joblib.load(PIPELINE)

        @bentoml.api
        def predict(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
            import pandas as pd

            frame = pd.DataFrame(rows)[COLUMNS]
            probabilities = self.pipeline.predict_proba(frame)
            labels = self.pipeline.classes_[probabilities.argmax(axis=1)]
            return {"predictions": labels.tolist(), "probabilities": probabilities.tolist()}
