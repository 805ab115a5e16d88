"""What the pages are told when they start: values only, read by whoever starts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from use_cases.use_case import UseCase


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in force, for the page that lists them."""

    name: str
    """The variable, such as REBENTO_HOME."""
    value: str
    description: str
    is_default: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the pages know of the installation."""

    use_case: str
    read_use_case: Callable[[], UseCase]
    """Read anew where its file changed. Raises UseCaseMistake."""
    home: Path
    database_url: str
    api_url: str
    """Where the API answers, such as http://127.0.0.1:8080, as seen from this process."""
    api_token: str = ""
    """The API's bearer token, and what a person signs in with; empty: nobody has to sign in."""
    reporting_url: str = ""
    """Where the Evidently UI is, as a person's browser sees it."""
    host: str = "127.0.0.1"
    """The address that is bound."""
    hosts: tuple[str, ...] = ()
    """More names by which browsers may call this process, such as a public one."""
    settings: tuple[Setting, ...] = ()
    secret: bytes = b""
    """Signs forms and sign-ins; empty: the installation's own, from the database."""
