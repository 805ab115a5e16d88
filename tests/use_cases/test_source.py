"""Where rows come from: files, joins, snapshots, loaders; and targets that cannot be learned."""

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loop.refusals import DataNotFound, NotTrainable, Refusal, UseCaseMistake
from use_cases.source import load_rows
from use_cases.use_case import UseCase


def use_case(text: str, folder: Path | None = None) -> UseCase:
    return UseCase.from_yaml(text, "example", folder=folder)


def loaded(tmp_path: Path, csv: str, more: str = "") -> pd.DataFrame:
    (tmp_path / "rows.csv").write_text(csv, encoding="utf-8")
    return load_rows(use_case("source: {csv: rows.csv}\ntarget: y\n" + more), tmp_path)


def refusal(tmp_path: Path, csv: str, more: str = "") -> str:
    with pytest.raises(Refusal) as caught:
        loaded(tmp_path, csv, more)
    return f"{type(caught.value).__name__}: {caught.value}"


def test_blank_cells_make_numbers_with_gaps_not_text(tmp_path: Path) -> None:
    rows = loaded(tmp_path, "charge,y\n1.5,no\n ,no\n2,yes\n")
    assert rows["charge"].dtype == "float64"
    assert rows["charge"].isna().tolist() == [False, True, False]


def test_ignored_columns_are_gone_and_ids_are_text_with_their_zeros(tmp_path: Path) -> None:
    rows = loaded(tmp_path, "k,a,b,y\n007,1,2,no\n008,1,2,yes\n", "id: k\nignore: [b]\n")
    assert list(rows.columns) == ["k", "a", "y"]
    assert rows["k"].tolist() == ["007", "008"]


def test_a_forced_kind_is_kept(tmp_path: Path) -> None:
    rows = loaded(tmp_path, "place,y\n01,no\n31,yes\n", "kinds: {place: category}\n")
    assert rows["place"].tolist() == ["01", "31"]


def test_a_forced_kind_that_does_not_fit_names_a_value(tmp_path: Path) -> None:
    said = refusal(tmp_path, "a,y\nx,no\n1,yes\n", "kinds: {a: number}\n")
    assert "UseCaseMistake: kinds.a: 1 of 2 values are no number, such as 'x'" in said


def test_rows_without_a_target_or_of_other_classes_are_counted(tmp_path: Path) -> None:
    rows = loaded(tmp_path, "a,y\n1,A\n2,\n3,B\n4,N\n", "classes: [A, B]\n")
    assert rows["y"].tolist() == ["A", "B"]
    assert rows["a"].tolist() == [1, 3]
    assert rows.attrs["dropped"] == {"without a target": 1, "of other classes": 1}


@pytest.mark.parametrize(
    ("values", "labels"),
    [(["True", "False"], ["true", "false"]), (["1", "0"], ["1", "0"]), (["1.0", "2.0"], ["1", "2"])],
)
def test_targets_are_label_text(tmp_path: Path, values: list[str], labels: list[str]) -> None:
    rows = loaded(tmp_path, "a,y\n" + "".join(f"1,{value}\n" for value in values))
    assert rows["y"].tolist() == labels


@pytest.mark.parametrize("values", [["0.5", "1.5", "1"], [str(number) for number in range(51)]])
def test_a_numeric_target_is_refused_with_what_to_do(tmp_path: Path, values: list[str]) -> None:
    said = refusal(tmp_path, "a,y\n" + "".join(f"1,{value}\n" for value in values))
    assert said.startswith("NotTrainable: Target y is a number")
    assert "regression" in said
    assert "classes" in said


def test_fifty_whole_numbers_are_still_classes(tmp_path: Path) -> None:
    assert loaded(tmp_path, "a,y\n" + "".join(f"1,{n}\n" for n in range(50)))["y"].nunique() == 50


@pytest.mark.parametrize(
    ("csv", "said"),
    [
        ("a,y\n1,no\n2,no\n", "same y, 'no'"),
        ("a,y\n1,\n2,\n", "No row has a value of the target y"),
        ("a,y\n" + "".join(f"1,t{n}\n" for n in range(201)), "201 different labels"),
        ("a,y\n1,no\ninf,yes\n", "Column 'a' has 1 infinite values"),
    ],
)
def test_rows_no_classifier_can_learn_from_are_refused(tmp_path: Path, csv: str, said: str) -> None:
    assert said in refusal(tmp_path, csv)


def test_labels_and_columns_that_are_not_there_are_all_named(tmp_path: Path) -> None:
    assert "positive: Yes is no label of y; it has" in refusal(
        tmp_path, "a,y\n1,yes\n2,no\n", "positive: 'Yes'\n"
    )
    said = refusal(tmp_path, "age,y\n1,no\n2,yes\n", "id: k\nignore: [agee]\n")
    assert "id: no column 'k'" in said
    assert "ignore: no column 'agee' (did you mean 'age'?)" in said
    assert "They have age, y." in said


def test_every_absent_file_is_named_with_the_setting_that_moves_it(tmp_path: Path) -> None:
    join = "source: {folder: f, join: {on: k, tables: [a.csv, b.csv]}}\ntarget: y\n"
    with pytest.raises(DataNotFound) as caught:
        load_rows(use_case(join), tmp_path)
    for part in (tmp_path / "f" / "a.csv", tmp_path / "f" / "b.csv", f"REBENTO_DATA (now {tmp_path})"):
        assert str(part) in str(caught.value)


def tables(tmp_path: Path, users: str, labels: str) -> UseCase:
    (tmp_path / "users.csv").write_text(users, encoding="utf-8")
    (tmp_path / "labels.csv").write_text(labels, encoding="utf-8")
    return use_case("source: {join: {on: k, tables: [users.csv, labels.csv]}}\ntarget: y\nid: k\n")


def test_a_join_finds_each_row_by_its_key_in_any_order(tmp_path: Path) -> None:
    rows = load_rows(tables(tmp_path, "k,a\n01,1\n2,2\n", "k,y\n2,no\n01,yes\n9,no\n"), tmp_path)
    assert rows.to_dict("list") == {"k": ["01", "2"], "a": [1, 2], "y": ["yes", "no"]}


@pytest.mark.parametrize(
    ("users", "labels", "said"),
    [
        ("k,a\n1,1\n1,2\n", "k,y\n1,no\n", r"users\.csv has 1 rows whose k occurs before"),
        ("k,a\n1,1\n2,2\n", "k,y\n1,no\n1,no\n2,yes\n", r"labels\.csv has 1 rows whose k occurs before"),
        ("k,a\n1,1\n2,2\n3,3\n", "k,y\n1,no\n", r"labels\.csv lacks 2 of the 3 values of k .* such as '2'"),
        ("k,a\n1,1\n,2\n", "k,y\n1,no\n", r"users\.csv has 1 rows without k"),
        ("j,a\n1,1\n", "k,y\n1,no\n", r"users\.csv has no column 'k'"),
        ("k,a\n1,1\n", "k,a,y\n1,1,no\n", r"labels\.csv has columns that an earlier table has too: a"),
    ],
)
def test_a_join_that_would_lose_or_double_rows_is_refused(
    tmp_path: Path, users: str, labels: str, said: str
) -> None:
    with pytest.raises(UseCaseMistake, match=said):
        load_rows(tables(tmp_path, users, labels), tmp_path)


@pytest.fixture
def months(tmp_path: Path) -> UseCase:
    for name, label in (("january", "no"), ("february", "yes")):
        (tmp_path / name).mkdir()
        csv = f"a,y\n1,{label}\n2,no\n3,yes\n"
        (tmp_path / name / "rows.csv").write_text(csv, encoding="utf-8")
    return use_case(
        "source:\n  csv: rows.csv\n  snapshots:\n"
        "    - {date: 2024-02-29, folder: february}\n    - {date: 2024-01-31, folder: january}\ntarget: y\n"
    )


def test_snapshots_come_in_the_order_of_their_dates(months: UseCase, tmp_path: Path) -> None:
    rows = load_rows(months, tmp_path)
    assert rows["y"].tolist() == ["no", "no", "yes", "yes", "no", "yes"]
    assert rows["known_at"].dt.strftime("%Y-%m-%d").tolist() == ["2024-01-31"] * 3 + ["2024-02-29"] * 3


@pytest.mark.parametrize(("day", "rows"), [(31, 3), (60, 6), (59, 3)])
def test_as_of_keeps_the_snapshots_known_by_then(
    months: UseCase, tmp_path: Path, day: int, rows: int
) -> None:
    as_of = datetime.date(2023, 12, 31) + datetime.timedelta(days=day)
    assert len(load_rows(months, tmp_path, as_of)) == rows


def test_as_of_before_the_first_snapshot_is_refused(months: UseCase, tmp_path: Path) -> None:
    with pytest.raises(UseCaseMistake, match="first snapshot is of 2024-01-31"):
        load_rows(months, tmp_path, datetime.date(2024, 1, 30))


def test_a_later_snapshot_need_not_be_there_for_an_earlier_as_of(months: UseCase, tmp_path: Path) -> None:
    (tmp_path / "february" / "rows.csv").unlink()
    assert len(load_rows(months, tmp_path, datetime.date(2024, 1, 31))) == 3
    with pytest.raises(DataNotFound, match="february"):
        load_rows(months, tmp_path)


def test_snapshots_of_different_columns_are_refused(months: UseCase, tmp_path: Path) -> None:
    (tmp_path / "february" / "rows.csv").write_text("a,b,y\n1,2,no\n", encoding="utf-8")
    with pytest.raises(UseCaseMistake, match="differ in their columns: b"):
        load_rows(months, tmp_path)


def test_as_of_counts_the_whole_day_of_a_time_column(tmp_path: Path) -> None:
    csv = "t,y\n2024-01-31 23:59:59,no\n2024-01-30,yes\n2024-02-01 00:00:00,no\n,no\n"
    (tmp_path / "rows.csv").write_text(csv, encoding="utf-8")
    dated = use_case("source: {csv: rows.csv}\ntarget: y\ntime: t\n")
    rows = load_rows(dated, tmp_path, datetime.date(2024, 1, 31))
    assert rows["y"].tolist() == ["no", "yes"]
    assert rows.attrs["dropped"] == {"later than as-of": 1, "without a time": 1}
    with pytest.raises(NotTrainable, match="its first is of 2024-01-30"):
        load_rows(dated, tmp_path, datetime.date(2024, 1, 29))


def test_as_of_without_any_dates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("t,y\n1,no\n2,yes\n", encoding="utf-8")
    for more in ("", "time: t\n"):
        with pytest.raises(UseCaseMistake, match="has no dates to look back by"):
            load_rows(
                use_case("source: {csv: rows.csv}\ntarget: y\n" + more), tmp_path, datetime.date(2024, 1, 1)
            )


def test_a_loader_beside_the_yaml_is_given_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "loader.py").write_text(
        "import pandas as pd\ndef rows(data):\n    return pd.read_csv(data / 'rows.csv')\n"
        "def wrong(data):\n    return 3\ndef broken(data):\n    raise KeyError('colour')\n",
        encoding="utf-8",
    )
    (tmp_path / "rows.csv").write_text("a,y\n1,no\n2,yes\n", encoding="utf-8")

    def rows(loader: str) -> pd.DataFrame:
        return load_rows(use_case(f"source: {{loader: '{loader}'}}\ntarget: y\n", tmp_path), tmp_path)

    assert rows("loader.py:rows")["a"].tolist() == [1, 2]
    with pytest.raises(UseCaseMistake, match="must answer a pandas DataFrame, not int"):
        rows("loader.py:wrong")
    with pytest.raises(UseCaseMistake, match="failed: KeyError: 'colour'") as caught:
        rows("loader.py:broken")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(UseCaseMistake, match="failed: AttributeError"):
        rows("loader.py:absent")
    with pytest.raises(DataNotFound, match=r"no loader file .*gone\.py"):
        rows("gone.py:rows")
    with pytest.raises(UseCaseMistake, match="failed: ModuleNotFoundError"):
        rows("no_such_module:rows")


def test_absolute_paths_and_parquet_types_are_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "b": pd.array([True, None, False], dtype="boolean"),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "c": pd.Categorical(["u", "v", "u"]),
            "d": pd.to_datetime(["2024-01-01", "2024-01-02", None]).tz_localize("Europe/Lisbon"),
            "y": [True, False, True],
        }
    )
    frame.to_parquet(tmp_path / "rows.parquet")
    source = use_case(f"source: {{parquet: '{tmp_path / 'rows.parquet'}'}}\ntarget: y\n")
    rows = load_rows(source, tmp_path / "elsewhere")
    assert rows["b"].tolist() == [True, None, False]
    assert rows["n"].dtype == "float64"
    assert rows["c"].tolist() == ["u", "v", "u"]
    assert rows["d"].dtype == np.dtype("datetime64[ns]")
    assert rows["y"].tolist() == ["true", "false", "true"]


def test_lists_in_cells_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [[1], [2]], "y": ["u", "v"]}).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(UseCaseMistake, match="'a' holds lists or bytes"):
        load_rows(use_case("source: {parquet: rows.parquet}\ntarget: y\n"), tmp_path)
