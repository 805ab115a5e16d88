"""The settings in force are all there, and no secret is."""

from __future__ import annotations

from collections.abc import Callable

from tests.webapp.conftest import Pages
from use_cases.schema import Policy
from webapp.pages.settings import policy_lines, shown
from webapp.plan import Setting

SETTINGS = (
    Setting("REBENTO_API_TOKEN", "hush-hush", "bearer token", False),
    Setting("REBENTO_DATABASE_URL", "postgresql+psycopg://me:hush-hush@db/rebento", "URL", False),
    Setting("REBENTO_API_PORT", "8080", "port of the API"),
)


def test_secrets_are_never_shown(opened: Callable[..., Pages]) -> None:
    text = opened(settings=SETTINGS).get("/settings").text
    assert "hush" not in text
    assert "REBENTO_API_TOKEN" in text and "me:***@db" in text and "8080" in text


def test_a_secret_that_is_not_set_says_so() -> None:
    assert shown(Setting("REBENTO_API_TOKEN", "", "")).value == ""
    assert "hush" not in shown(Setting("REBENTO_X", "not a:// url with hush@", "")).value


def test_every_field_of_the_policy_is_listed_with_its_meaning(opened: Callable[..., Pages]) -> None:
    lines = policy_lines(Policy(feedbacks_per_training=7))
    assert [line.name for line in lines] == list(Policy.model_fields)
    assert all(line.description for line in lines)
    assert [line.name for line in lines if not line.is_default] == ["feedbacks_per_training"]
    text = opened().get("/settings").text
    assert all(f"<code>{name}</code>" in text for name in Policy.model_fields)
    assert "onnxruntime" in text
