"""The line at the top of every page that says when the service does not answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from webapp.site import site
from webapp.views import View


@dataclass(frozen=True, kw_only=True)
class ServiceView(View):
    """What the pages ask for every few seconds; as a page of its own for who comes by its address."""

    template: ClassVar[str] = "service.html"
    regions: ClassVar[tuple[str, ...]] = ("service",)


async def show(request: Request) -> Response:
    """Nothing (204) where the page that asks shows the state already."""
    here = site(request)
    state = "up" if (await here.pulse.now()).is_up else "down"
    if request.query_params.get("was") == state:
        return Response(status_code=204)
    return await here.render(request, ServiceView())
