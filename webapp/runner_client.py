"""The runner's API: predictions, explanations and feedback go the one way that everybody's go."""

from __future__ import annotations

from typing import Any

import httpx

from loop.refusals import InvalidRows, Problem, Refusal, StorageUnavailable, Unauthorised, UnknownPrediction

Json = dict[str, Any]
_SECONDS = 30.0
#: A runner on the same machine that is there answers in a millisecond or two.
_READY_SECONDS = 0.5


class RunnerDown(Refusal):
    """The API does not answer now."""


class RunnerClient:
    """Calls of one API. Close it at the end."""

    def __init__(self, api_url: str, token: str) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        # Without the environment's proxies: nothing leaves the machine for this.
        self._client = httpx.AsyncClient(base_url=api_url, headers=headers, timeout=_SECONDS, trust_env=False)

    async def predict(self, rows: list[Json]) -> Json:
        """The answer to `/predict`; it is logged. Raises the runner's refusal, or RunnerDown."""
        return await self._post("/predict", {"rows": rows})

    async def explain(self, rows: list[Json]) -> Json:
        """The answer to `/explain`, never logged. Raises as `predict` does."""
        return await self._post("/explain", {"rows": rows})

    async def feedback(self, items: list[Json]) -> Json:
        """The answer to `/feedback`: durable once it is here. Raises as `predict` does."""
        return await self._post("/feedback", {"feedback": items})

    async def is_ready(self) -> bool:
        try:
            answer = await self._client.get("/readyz", timeout=_READY_SECONDS)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    async def metrics(self) -> str:
        """The runner's Prometheus text. Raises RunnerDown."""
        try:
            answer = await self._client.get("/metrics", timeout=5.0)
        except httpx.HTTPError as error:
            raise _down() from error
        if answer.status_code != 200:
            raise _down()
        return answer.text

    async def close(self) -> None:
        await self._client.aclose()

    async def _post(self, path: str, body: Json) -> Json:
        try:
            answer = await self._client.post(path, json=body)
        except (httpx.HTTPError, ValueError) as error:  # ValueError: a number that JSON cannot carry
            if isinstance(error, ValueError):
                raise InvalidRows("a number in the row is not finite; write it in full") from error
            raise _down() from error
        try:
            told = answer.json()
        except ValueError as error:
            raise _down() from error
        if answer.status_code == 200:
            return dict(told)
        raise _refusal(answer.status_code, told if isinstance(told, dict) else {})


def _refusal(status: int, told: Json) -> Refusal:
    sentence = str(told.get("error") or f"the service answered with status {status}")
    detail = [
        Problem(one.get("row"), one.get("column"), str(one.get("problem"))) for one in told.get("detail", [])
    ]
    if status == 400:
        return InvalidRows(sentence, detail, told.get("missing_features", ()))
    if status == 404:
        return UnknownPrediction(sentence, detail)
    if status == 401:
        return Unauthorised(
            "the service asks for another token than these pages have; start both with one REBENTO_API_TOKEN"
        )
    return StorageUnavailable(sentence)


def _down() -> RunnerDown:
    return RunnerDown(
        "the service does not answer now; it may be starting. This page goes on by itself once it is back"
    )
