"""Settings in force: the use case, its policy, variables, libraries, disk use. Never a secret."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from use_cases.schema import Policy
from use_cases.use_case import UseCase
from webapp.plan import Setting
from webapp.site import site
from webapp.views import View

_SECRET_ENDINGS = ("TOKEN", "SECRET", "PASSWORD", "KEY")
_LIBRARIES = (
    *("rebento", "bentoml", "onnxruntime", "scikit-learn", "evidently", "numpy", "pandas", "sqlalchemy"),
    *("starlette", "jinja2", "pydantic", "prometheus-client"),
)
_DISK_EVERY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Line:
    """One value with what it means."""

    name: str
    value: str
    description: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Folder:
    """Disk use of one part of the home."""

    name: str
    size_bytes: int
    files: int


@dataclass(frozen=True, kw_only=True)
class SettingsView(View):
    """The page."""

    template: ClassVar[str] = "settings.html"
    use_case: tuple[Line, ...]
    policy: tuple[Line, ...]
    variables: tuple[Line, ...]
    libraries: tuple[tuple[str, str], ...]
    folders: tuple[Folder, ...]
    home: str
    free_bytes: int


async def show(request: Request) -> Response:
    here = site(request)
    use_case = here.use_case()
    view = SettingsView(
        use_case=use_case_lines(use_case),
        policy=policy_lines(use_case.policy),
        variables=tuple(shown(setting) for setting in here.plan.settings),
        libraries=tuple(_libraries()),
        folders=await run_in_threadpool(_disk, here.plan.home, here.kept),
        home=str(here.plan.home),
        free_bytes=_free_bytes(here.plan.home),
    )
    return await here.render(request, view)


def shown(setting: Setting) -> Line:
    """A variable as anybody may see it: a secret's is only whether it is set, a URL's has no password."""
    value = setting.value
    if setting.name.endswith(_SECRET_ENDINGS):
        value = "••••••" if value else ""
    elif "://" in value:
        try:
            value = make_url(value).render_as_string(hide_password=True)
        except ArgumentError:
            value = "••••••" if "@" in value else value
    return Line(setting.name, value, setting.description, setting.is_default)


def use_case_lines(use_case: UseCase) -> tuple[Line, ...]:
    """What the use case's file says, without its policy."""
    source = use_case.source
    kind = next((name for name in ("csv", "parquet", "loader") if getattr(source, name)), "join")
    embedding = use_case.embedding
    size = embedding.components or embedding.variance
    values: dict[str, Any] = {
        "source": f"{kind}: {getattr(source, kind)}" if kind != "join" else "join",
        "target": use_case.target,
        "positive": ", ".join(use_case.positive),
        "classes": ", ".join(use_case.classes),
        "id": use_case.id or "",
        "time": use_case.time or "",
        "ignore": ", ".join(use_case.ignore),
        "embedding": embedding.kind + (f", {size:g}" if size else ""),
        "scaler": use_case.scaler,
        "candidates": ", ".join(use_case.candidates),
        "metric": use_case.metric,
        "holdout": f"{use_case.holdout:g}",
        "seed": str(use_case.seed),
    }
    fields = UseCase.model_fields
    return tuple(
        Line(name, value, fields[name].description or "", getattr(use_case, name) == fields[name].default)
        for name, value in values.items()
        if value
    )


def policy_lines(policy: Policy) -> tuple[Line, ...]:
    """Every field of the policy, also one that is added later."""
    return tuple(
        Line(
            name,
            "" if value is None else f"{value:g}" if isinstance(value, (int, float)) else str(value),
            field.description or "",
            value == field.default,
        )
        for name, field in Policy.model_fields.items()
        for value in [getattr(policy, name)]
    )


def _libraries() -> Iterable[tuple[str, str]]:
    yield "Python", platform.python_version()
    for name in _LIBRARIES:
        try:
            yield name, version(name)
        except PackageNotFoundError:  # not every process needs every one
            continue


def _disk(home: Path, kept: dict[str, tuple[Any, Any]]) -> tuple[Folder, ...]:
    """Walking a store of many Bentos takes a moment: once in two seconds will do."""
    then, found = kept.get("disk", (-1e9, ()))
    if time.monotonic() - then > _DISK_EVERY_SECONDS:
        found = tuple(sorted(_folders(home), key=lambda folder: -folder.size_bytes))
        kept["disk"] = (time.monotonic(), found)
    return tuple(found)


def _folders(home: Path) -> Iterable[Folder]:
    parts = [home / "bentoml" / "bentos", home / "bentoml" / "models"]
    if home.is_dir():
        parts += [entry for entry in home.iterdir() if entry.is_dir() and entry.name != "bentoml"]
        loose = [entry.stat().st_size for entry in home.iterdir() if entry.is_file()]
        yield Folder(".", sum(loose), len(loose))
    for part in parts:
        sizes = []
        for folder, _, names in os.walk(part):
            for name in names:
                try:
                    sizes.append(os.lstat(os.path.join(folder, name)).st_size)
                except OSError:  # it has just been removed
                    continue
        yield Folder(part.relative_to(home).as_posix(), sum(sizes), len(sizes))


def _free_bytes(home: Path) -> int:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = os.statvfs(there)
    return free.f_bavail * free.f_frsize
