"""How a version was fitted: with its snapshot and its use case's settings, all that fits it again."""

from __future__ import annotations

import platform
from typing import Any

from pydantic import BaseModel, ConfigDict

from storage.run_facts import Mode
from training.ages import Horizon
from training.record import library_versions

Kind = Mode

KINDS: dict[Kind, str] = {
    "fresh": "fitted anew on all rows",
    "recent": "fitted anew on the newest rows alone",
    "weighted": "fitted anew on all rows, the newer the heavier",
    "fine_tuned": "the champion's model, taught the rows it had not seen",
}
"""Each way to make a challenger, in words."""


class Recipe(BaseModel):
    """The same recipe on the same snapshot gives the same bytes, on one platform with the same libraries."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Kind
    candidate: str
    settings: dict[str, Any]
    """The candidate's own."""
    seed: int
    rows: int
    """Training rows it learned from."""
    instant_ms: int | None
    """Production rows are those known by then (UTC); None in a version from before there were any."""
    window_rows: int | None = None
    """`recent`: at most so many of the newest rows."""
    half_life_rows: int | None = None
    """`weighted`: rows after which a row weighs half."""
    ancestor: str | None = None
    """`fine_tuned`: tag of the version that learned on."""
    beyond: Horizon | None = None
    """`fine_tuned`: it learned from the rows that are newer than these, the champion's."""
    platform: str = ""
    libraries: dict[str, str] = {}


def this_platform() -> str:
    """Operating system and processor, as bytes of a fit depend on them: `Linux x86_64`."""
    return f"{platform.system()} {platform.machine()}"


def environment() -> dict[str, Any]:
    """What a recipe keeps of where it was first followed."""
    return {"platform": this_platform(), "libraries": library_versions()}
