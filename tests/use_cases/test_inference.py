"""What `rebento init` infers from a file, what it says, and what it refuses."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loop.refusals import DataNotFound, NotTrainable, Refusal, UseCaseMistake
from tests.shared_data import DATA
from use_cases.derive import derive_contract
from use_cases.inference import Inference, infer_use_case, write_use_case
from use_cases.source import load_rows
from use_cases.use_case import read_use_case


@pytest.fixture
def people() -> pd.DataFrame:
    """300 people; whether they stay depends, loosely, on age and town."""
    draw = np.random.default_rng(1)
    age = draw.integers(18, 90, 300)
    town = draw.choice(["north", "south"], 300)
    stays = age + 20 * (town == "north") + draw.normal(0, 20, 300) > 60
    return pd.DataFrame({"age": age, "town": town, "stays": np.where(stays, "yes", "no")})


def inferred(tmp_path: Path, frame: pd.DataFrame, target: str = "stays", **more: Any) -> Inference:
    frame.to_csv(tmp_path / "people.csv", index=False)
    return infer_use_case(tmp_path / "people.csv", target=target, **more)


def notes(inference: Inference) -> str:
    return "\n".join(inference.notes)


def test_telco_churn_needs_no_hand_edit(tmp_path: Path) -> None:
    inference = infer_use_case(DATA / "telco_churn.csv.gz", target="Churn", id="customerID")
    assert inference.name == "telco_churn"
    assert "TotalCharges is blank in 11 rows; they count as missing." in inference.notes
    write_use_case(inference, tmp_path)
    use_case = read_use_case("telco_churn", [tmp_path])
    assert (use_case.positive, use_case.id, use_case.ignore) == (("Yes",), "customerID", ())
    assert (use_case.embedding.kind, use_case.metric) == ("columns", "roc_auc")
    rows = load_rows(use_case, tmp_path)
    assert len(rows) == 7043
    columns = {column.name: column for column in derive_contract(use_case, rows).columns}
    assert len(columns) == 19
    assert columns["TotalCharges"].kind == "number"
    assert rows["TotalCharges"].isna().sum() == 11


def test_the_id_is_found_when_nobody_names_it() -> None:
    inference = infer_use_case(DATA / "telco_churn.csv.gz", target="Churn")
    assert inference.use_case.id == "customerID"
    assert "customerID looks like the id" in notes(inference)


def test_a_planted_leak_is_ignored_with_its_evidence(tmp_path: Path, people: pd.DataFrame) -> None:
    stays = people["stays"] == "yes"
    leaks = {
        "renamed": np.where(stays, "kept", "gone"),
        "score": np.where(stays, 1.0, 0.0) + np.random.default_rng(2).normal(0, 0.05, 300),
        "left_on": np.where(stays, None, "2024-01-31"),
    }
    inference = inferred(tmp_path, people.assign(**leaks))
    assert set(inference.use_case.ignore) == set(leaks)
    for column in leaks:
        assert f"{column} is left out: gives stays away" in notes(inference)
        assert f"  - {column}    # gives stays away: alone it predicts the target" in inference.yaml_text
    assert "age" not in inference.yaml_text


def test_a_leak_is_kept_and_named_where_nothing_else_would_be_left(tmp_path: Path) -> None:
    inference = inferred(tmp_path, pd.DataFrame({"a": [1, 2] * 30, "stays": ["no", "yes"] * 30}))
    assert inference.use_case.ignore == ()
    assert "a is kept, but look at it: alone it predicts" in notes(inference)


def test_a_leak_among_several_classes_is_found(tmp_path: Path, people: pd.DataFrame) -> None:
    frame = people.assign(stays=np.arange(300) % 3, twin=[f"t{number % 3}" for number in range(300)])
    inference = inferred(tmp_path, frame)
    assert inference.use_case.ignore == ("twin",)
    assert inference.use_case.metric == "balanced_accuracy"
    assert inference.use_case.positive == ()


def test_what_follows_from_a_doctor_visit_is_named(tmp_path: Path) -> None:
    with as_file(files("statsmodels") / "datasets/randhie/src/randhie.csv") as path:
        raw = pd.read_csv(path)
    raw["visit"] = np.where(raw["mdvis"] > 0, "yes", "no")
    raw.to_parquet(tmp_path / "rand.parquet")
    inference = infer_use_case(tmp_path / "rand.parquet", target="visit", id="zper")
    assert inference.use_case.ignore == ("mdvis",)
    for column in ("outpdol", "meddol", "lnmeddol", "binexp"):
        assert f"{column} is kept, but look at it" in notes(inference)
    assert inference.yaml_text.count("alone it predicts") == 5
    assert inference.use_case.source.parquet is not None


def test_constants_row_numbers_ids_and_free_text_are_left_out_by_name(
    tmp_path: Path, people: pd.DataFrame
) -> None:
    draw = np.random.default_rng(3)
    frame = people.assign(
        country="PT",
        empty=None,
        line=range(300),
        account_id=draw.permutation(300),
        remark=[f"called {number} times" for number in range(300)],
    )
    inference = inferred(tmp_path, frame)
    assert inference.use_case.id == "account_id"
    assert inference.use_case.ignore == ("country", "empty", "line", "remark")
    for said in (
        "country is left out: it has the same value in every row (PT).",
        "empty is left out: it has no values.",
        "line is left out: it numbers the rows.",
        "remark is left out: free text or a code (300 different values in 300 rows).",
    ):
        assert said in inference.notes
    assert inferred(tmp_path, frame, id="line").use_case.ignore == (
        "country",
        "empty",
        "account_id",
        "remark",
    )


def test_a_continuous_number_is_no_id(tmp_path: Path, people: pd.DataFrame) -> None:
    frame = people.assign(height=np.random.default_rng(4).normal(170, 10, 300))
    inference = inferred(tmp_path, frame)
    assert (inference.use_case.id, inference.use_case.ignore) == (None, ())


def test_kinds_are_told_and_a_date_is_offered_as_time(tmp_path: Path, people: pd.DataFrame) -> None:
    frame = people.assign(since="2024-01-31", member=[True, False] * 150)
    frame.loc[0, "since"] = "2024-02-29"
    inference = inferred(tmp_path, frame)
    assert "1 number: age." in inference.notes
    assert "1 boolean: member." in inference.notes
    assert "1 date: since." in inference.notes
    assert "name it with --time" in notes(inference)
    assert inferred(tmp_path, frame, time="since").use_case.time == "since"


@pytest.mark.parametrize(
    ("labels", "positive"),
    [(("no", "yes"), "yes"), ((0, 1), "1"), ((True, False), "true"), (("ham", "spam"), "spam")],
)
def test_the_positive_class_goes_by_its_word(tmp_path: Path, labels: tuple[Any, Any], positive: str) -> None:
    frame = pd.DataFrame({"a": [1, 1, 3, 3] * 10, "stays": [*labels, *labels] * 10})
    assert inferred(tmp_path, frame).use_case.positive == (positive,)


def test_without_such_a_word_the_rarer_class_is_positive(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(60), "stays": ["grey"] * 20 + ["blue"] * 40})
    frame["a"] = frame["a"] % 7
    assert inferred(tmp_path, frame).use_case.positive == ("grey",)


def test_classes_too_rare_to_learn_are_left_out_by_name() -> None:
    inference = infer_use_case(DATA / "dpe_tertiaire.csv.gz", target="etiquette_dpe")
    assert inference.use_case.classes == tuple("ABCDEFG")
    assert "N: fewer than 10 rows" in notes(inference)
    assert inference.use_case.id == "n_dpe"


def test_odd_names_survive_the_yaml(tmp_path: Path, people: pd.DataFrame) -> None:
    names = {"age": "yes", "town": 'a: "b" # c', "stays": "où?"}
    frame = people.rename(columns=names).assign(null="same", **{"- x": "same\nline"})
    inference = inferred(tmp_path, frame, target="où?", name="odd")
    assert inference.use_case.ignore == ("null", "- x")
    assert inference.use_case.target == "où?"
    contract = derive_contract(inference.use_case, load_rows(inference.use_case, tmp_path))
    assert [column.name for column in contract.columns] == ["yes", 'a: "b" # c']


@pytest.mark.parametrize(
    ("file", "name"),
    [("My Data (2).csv", "my_data_2"), ("2024-sales.csv", "data_2024_sales"), ("é.csv", "data")],
)
def test_the_name_comes_from_the_file(tmp_path: Path, people: pd.DataFrame, file: str, name: str) -> None:
    people.to_csv(tmp_path / file, index=False)
    assert infer_use_case(tmp_path / file, target="stays").name == name


def refusal(tmp_path: Path, csv: str, kind: type[Refusal] = UseCaseMistake, **more: Any) -> str:
    (tmp_path / "rows.csv").write_text(csv, encoding="utf-8")
    with pytest.raises(kind) as caught:
        infer_use_case(tmp_path / "rows.csv", **{"target": "y", **more})
    return str(caught.value)


def test_a_column_that_is_not_there_is_answered_with_close_names(tmp_path: Path) -> None:
    said = refusal(tmp_path, "churned,age\n1,2\n", target="Churn", id="q")
    assert "no column 'Churn' for --target; did you mean churned?" in said
    assert "no column 'q' for --id; it has churned, age." in said
    assert "must name different columns" in refusal(tmp_path, "y,a\n1,2\n", id="y")


def test_what_cannot_be_learned_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    prices = "a,y\n" + "".join(f"1,{number}.5\n" for number in range(9))
    assert "regression" in refusal(tmp_path, prices, NotTrainable)
    assert "no rows" in refusal(tmp_path, "a,y\n")
    assert "is empty" in refusal(tmp_path, "")
    assert "more than one column named 'a'" in refusal(tmp_path, "a,a,y\n1,2,3\n")
    assert "no column left to learn y from (c: it has the same value" in refusal(
        tmp_path, "c,y\n1,no\n1,yes\n", NotTrainable
    )
    assert "a name Rebento uses itself" in refusal(tmp_path, "known_at,y\n1,no\n2,yes\n")
    assert "cannot name a use case" in refusal(tmp_path, "a,y\n1,no\n2,yes\n", name="My Case")
    with pytest.raises(DataNotFound, match="gone"):
        infer_use_case(tmp_path / "gone.csv", target="y")


def test_a_use_case_that_says_something_else_is_not_overwritten(tmp_path: Path, people: pd.DataFrame) -> None:
    inference = inferred(tmp_path, people)
    path = write_use_case(inference, tmp_path / "cases")
    assert write_use_case(inference, tmp_path / "cases") == path
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(UseCaseMistake, match="exists and says something else"):
        write_use_case(inference, tmp_path / "cases")
    assert path.read_text(encoding="utf-8") == "mine"
    write_use_case(inference, tmp_path / "cases", replace=True)
    assert path.read_text(encoding="utf-8") == inference.yaml_text
