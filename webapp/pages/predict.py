"""Predict: a form from the contract, the answer, why, and what it was really."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from loop.clock import now_ms
from loop.refusals import InvalidRows, Refusal, UnknownPrediction
from storage.counters import production_rows
from storage.overview import Told, told_of
from storage.predictions import Prediction, find_prediction
from storage.runs import run
from webapp.answers import Answer, Given, answer_view
from webapp.bentos import Bento
from webapp.forms import Field, Refused, fields, key_fields, row, texts, typed_values
from webapp.runner_client import RunnerDown
from webapp.site import Site, see_other, site
from webapp.views import View
from webapp.wording import by_column

#: Says who told, with each true answer from a page.
SOURCE = "web"


@dataclass(frozen=True, kw_only=True)
class PredictView(View):
    """The page."""

    template: ClassVar[str] = "predict.html"
    regions: ClassVar[tuple[str, ...]] = ("prediction",)
    description: str
    target: str
    bento: str | None
    """None: nothing is in Production."""
    fields: tuple[Field, ...]
    keys: tuple[Field, ...]
    example: int | None
    """The number of the real example that the form holds, from 1."""
    next_example: int | None
    problem: str
    """What is wrong with the row as a whole."""
    problem_is_english: bool
    is_down: bool
    """The service did not answer; what was typed is still here."""
    answer: Answer | None
    labels_wanted: int
    """Until the next training."""
    training_run: str | None
    """The run that the last feedback asked for."""


async def show(request: Request) -> Response:
    here = site(request)
    standing = await here.champion()
    if standing is None:
        return await here.render(request, await _view(here, request, None))
    _, bento = standing
    number = request.query_params.get("example", "")
    example = int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else None
    if example is None or not bento.examples:
        return await here.render(request, await _view(here, request, bento))
    example = (example - 1) % len(bento.examples) + 1
    typed = texts(bento.contract, bento.examples[example - 1])
    return await here.render(request, await _view(here, request, bento, typed, example=example))


async def act(request: Request, form: FormData) -> Response:
    """Asks the service. A row that is only tried out, and an example as it stands, is never logged."""
    here = site(request)
    standing = await here.champion()
    if standing is None:
        return see_other("/predict")
    _, bento = standing
    typed = typed_values(bento.contract, form)
    asked = row(bento.contract, typed)
    example = _example(form, bento, typed)
    speech = here.speech(request)
    try:
        if form.get("log") == "no" or example is not None:
            given, explanation = await _try_out(here, asked)
            told = answer_view(given, explanation, bento.contract, None, speech)
            return await here.render(
                request, await _view(here, request, bento, typed, example=example, answer=told)
            )
        given = await _predict(here, asked)
    except InvalidRows as refusal:
        problems = by_column(refusal.detail, bento.contract, speech)
        shown = {column.name for column in bento.contract.columns}
        problem = "" if problems.keys() & shown else str(refusal)
        view = await _view(here, request, bento, typed, problems=problems, problem=problem)
        return await here.render(request, view, 422)
    except RunnerDown:
        view = await _view(here, request, bento, typed, example=example, is_down=True)
        return await here.render(request, view, 503)
    return see_other(f"/predictions/{given.prediction_id}")


async def show_stored(request: Request) -> Response:
    """An answer that was given before, with the form as it was."""
    here = site(request)
    prediction_id = str(request.path_params["prediction_id"])
    given = here.answers.of(prediction_id)
    if given is None:
        found: Prediction | None = await here.read(find_prediction, prediction_id)
        if found is None or found.use_case != here.plan.use_case:
            raise UnknownPrediction(
                "no prediction of this id is stored here; it may have been removed with its retention time"
            )
        given = Given.stored(found)
    standing = await here.champion()
    if standing is None:
        return see_other("/predict")
    _, bento = standing
    try:
        explanation: Mapping[str, Any] | None = await here.runner.explain([dict(given.row)])
    except (
        Refusal
    ):  # the reasons are extra: the answer itself is known, and the page's head says what is down
        explanation = None
    told: Told | None = await here.read(told_of, prediction_id)
    answer = answer_view(given, explanation, bento.contract, told, here.speech(request))
    asked_for = request.query_params.get("asked")
    training = await here.read(run, asked_for) if asked_for else None
    view = await _view(
        here,
        request,
        bento,
        texts(bento.contract, given.row),
        answer=answer,
        training_run=training.run_id if training is not None else None,
    )
    return await here.render(request, view)


async def tell(request: Request, form: FormData) -> Response:
    """What it was really."""
    here = site(request)
    prediction_id = str(request.path_params["prediction_id"])
    item = {"prediction_id": prediction_id, "target": str(form.get("target", "")), "source": SOURCE}
    receipt = await here.runner.feedback([item])
    asked = f"?asked={receipt['training_run']}" if receipt.get("training_run") else ""
    return see_other(f"/predictions/{prediction_id}{asked}")


async def _predict(here: Site, asked: dict[str, Any]) -> Given:
    started = time.perf_counter()
    answer = await here.runner.predict([asked])
    seconds = time.perf_counter() - started
    one = answer["predictions"][0]
    given = Given(
        row=asked,
        label=one["prediction"],
        probabilities=one["probabilities"],
        bento=answer["bento"],
        prediction_id=one["prediction_id"],
        predicted_at_ms=now_ms(),
        seconds=seconds,
    )
    here.answers.keep(given)
    return given


async def _try_out(here: Site, asked: dict[str, Any]) -> tuple[Given, dict[str, Any]]:
    started = time.perf_counter()
    explanation = await here.runner.explain([asked])
    seconds = time.perf_counter() - started
    one = explanation["explanations"][0]
    given = Given(asked, one["prediction"], one["probabilities"], explanation["bento"], None, None, seconds)
    return given, explanation


def _example(form: FormData, bento: Bento, typed: dict[str, str]) -> int | None:
    """The number of the example that the form holds unchanged."""
    number = str(form.get("example", ""))
    if not (number.isascii() and number.isdecimal() and 1 <= int(number[:6]) <= len(bento.examples)):
        return None
    untouched = row(bento.contract, texts(bento.contract, bento.examples[int(number) - 1]))
    return int(number) if row(bento.contract, typed) == untouched else None


async def _view(
    here: Site,
    request: Request,
    bento: Bento | None,
    typed: Mapping[str, str] | None = None,
    *,
    problems: Mapping[str, Refused] | None = None,
    problem: str = "",
    example: int | None = None,
    answer: Answer | None = None,
    training_run: str | None = None,
    is_down: bool = False,
) -> PredictView:
    speech = here.speech(request)
    typed, problems = typed or {}, problems or {}
    wanted = 0
    following = None
    if bento is not None:
        labelled = await here.read(production_rows, here.plan.use_case)
        wanted = bento.k - labelled % bento.k
        if bento.examples:
            following = (example or 0) % len(bento.examples) + 1
    return PredictView(
        description=here.use_case().description,
        target=bento.contract.target if bento else "",
        bento=bento.tag if bento else None,
        fields=fields(bento.contract, typed, problems, speech) if bento else (),
        keys=key_fields(bento.contract, typed, speech) if bento else (),
        example=example,
        next_example=following,
        problem=problem,
        problem_is_english=bool(problem) and speech.code != "en",
        is_down=is_down,
        answer=answer,
        labels_wanted=wanted,
        training_run=training_run,
    )
