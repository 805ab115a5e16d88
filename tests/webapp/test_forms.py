"""A form drawn from the contract gives the row that a person meant."""

from __future__ import annotations

import pytest

from loop.refusals import Problem
from runner.rows import RowChecker
from use_cases.contract import Column, Contract
from webapp.forms import PREFIX, fields, key_fields, number, row, texts, typed_values
from webapp.language import Speech
from webapp.wording import by_column

ENGLISH, FRENCH = Speech("en"), Speech("fr")
CITIES = [f"city {number}" for number in range(80)]
CONTRACT = Contract(
    use_case="visits",
    target="visit",
    classes=("no", "yes"),
    id_column="person",
    columns=(
        Column(name="income", kind="number", nullable=False, minimum=0, maximum=29237, typical=8490.5),
        Column(name="family_size", kind="number", nullable=True, minimum=1, maximum=9, whole=True),
        Column(
            name="sex",
            kind="category",
            nullable=False,
            categories={"male": 0.6, "female": 0.4},
            typical="male",
        ),
        Column(name="city", kind="category", nullable=True, categories=dict.fromkeys(CITIES, 0.01)),
        Column(
            name="insured",
            kind="boolean",
            nullable=True,
            categories={"true": 0.5, "false": 0.5},
            typical=True,
        ),
        Column(name="since", kind="date", nullable=True, minimum=19723, maximum=20088, typical="2024-06-01"),
        Column(name="seen", kind="date", nullable=True, minimum=19723.5, maximum=20088, typical="2024-06-01"),
    ),
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("12", 12),
        ("1,5", 1.5),
        ("1 234,5", 1234.5),
        ("1\u202f234", 1234),
        (" 0 ", 0),
        ("-3.25", -3.25),
        ("1e3", 1000.0),
        ("1,234.5", None),
        ("12 euros", None),
        ("nan", None),
        ("", None),
    ],
)
def test_a_number_is_read_as_it_was_meant(typed: str, meant: float | None) -> None:
    assert number(typed) == meant


def test_what_is_left_empty_is_missing_and_not_zero() -> None:
    form = {
        PREFIX + "income": "0",
        PREFIX + "family_size": "  ",
        PREFIX + "sex": "male",
        PREFIX + "insured": "",
    }
    asked = row(CONTRACT, typed_values(CONTRACT, form))
    assert asked == {"income": 0, "sex": "male"}
    RowChecker(CONTRACT).check([asked])


def test_every_kind_comes_as_the_api_takes_it() -> None:
    typed = {
        "income": "1 200,5",
        "family_size": "3",
        "sex": "female",
        "insured": "false",
        "since": "2024-03-01",
        "seen": "2024-03-01T08:30",
        "person": "17",
    }
    asked = row(CONTRACT, typed)
    assert asked == {
        **{"income": 1200.5, "family_size": 3, "sex": "female", "insured": False},
        **{"since": "2024-03-01", "seen": "2024-03-01T08:30", "person": "17"},
    }
    RowChecker(CONTRACT).check([asked])


def test_a_stored_row_fills_the_form_so_that_the_same_row_comes_back() -> None:
    stored = {"income": 1200.5, "family_size": 3.0, "sex": "female", "insured": True, "since": "2024-03-01"}
    assert row(CONTRACT, texts(CONTRACT, {**stored, "city": None})) == stored


def test_text_that_is_no_number_goes_on_for_the_contract_to_refuse() -> None:
    asked = row(CONTRACT, {"income": "much", "insured": "perhaps"})
    assert asked == {"income": "much", "insured": "perhaps"}


def test_fields_are_drawn_by_kind_with_their_hints() -> None:
    drawn = {field.column: field for field in fields(CONTRACT, {"sex": "other"}, {}, ENGLISH)}
    assert {name: field.control for name, field in drawn.items()} == {
        **{"income": "number", "family_size": "number", "sex": "select", "city": "text"},
        **{"insured": "select", "since": "date", "seen": "datetime-local"},
    }
    assert drawn["income"].hint == "0 to 29,237, typically 8,490" and drawn["income"].step == "any"
    assert drawn["income"].typical == "8490"
    assert drawn["family_size"].step == "1" and drawn["family_size"].is_optional
    assert drawn["since"].hint == "seen from 1 Jan 2024 to 31 Dec 2024"
    assert drawn["sex"].value == "other" and drawn["sex"].options[-1].value == "other"
    assert len(drawn["city"].options) == 80
    french = fields(CONTRACT, {}, {}, FRENCH)[0]
    assert french.hint.startswith("0 à 29") and "d’ordinaire" in french.hint


def test_the_id_may_be_given_and_may_stay_empty() -> None:
    (key,) = key_fields(CONTRACT, {"person": "17"}, ENGLISH)
    assert key.value == "17" and key.is_optional and key.label == "Person"


def test_refusals_are_in_the_visitors_words() -> None:
    checker = RowChecker(CONTRACT)
    bad = {"income": "viel", "family_size": 3, "insured": "maybe", "since": "tomorrow"}
    _, _, problems = checker.check_each([bad])
    english, french = (by_column(problems, CONTRACT, speech) for speech in (ENGLISH, FRENCH))
    assert english["income"].sentence == "“viel” is not a number."
    assert english["sex"].sentence == "Please fill this in: the model needs it."
    assert french["sex"].sentence == "À remplir : le modèle en a besoin."
    assert french["since"].sentence.startswith("« tomorrow » n’est pas une date")
    assert not any(one.is_english for one in french.values())
    unknown = by_column([Problem(0, "x", "is odd")], CONTRACT, FRENCH)
    assert unknown["x"].sentence == "is odd" and unknown["x"].is_english


def test_warnings_name_the_range_in_the_visitors_numbers() -> None:
    checked = RowChecker(CONTRACT).check([{"income": 90000, "sex": "x", "since": "2030-01-01"}])
    problems = [Problem(0, one["column"], one["problem"]) for one in checked.warnings[0]]
    french = by_column(problems, CONTRACT, FRENCH)
    assert "90\u202f000 est hors de" in french["income"].sentence
    assert "« x » n’a jamais été vu" in french["sex"].sentence
    assert "2030-01-01 est hors de" in french["since"].sentence


def test_a_long_typical_value_is_shown_short_and_a_typed_one_stays_whole() -> None:
    column = Column(
        name="bmi", kind="number", nullable=False, minimum=1, maximum=60, typical=29.631081495282302
    )
    contract = CONTRACT.model_copy(update={"columns": (column,)})
    (drawn,) = fields(contract, {"bmi": "29.631081495282302"}, {}, ENGLISH)
    assert (drawn.typical, drawn.value) == ("29.63", "29.631081495282302")
    assert drawn.hint == "1 to 60, typically 29.63"
