"""Reading one file: separators, compression, codes, chunks, and files that cannot be read."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from loop.refusals import DataNotFound, UseCaseMistake
from use_cases.tables import read_chunks, read_table


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_seen_in_the_header(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"a{separator}b\n1{separator}x\n", encoding="utf-8")
    assert read_table(path).to_dict("list") == {"a": [1], "b": ["x"]}


def test_compressed_files_and_byte_order_marks_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress("\ufeffa,b\n1,é\n".encode()))
    assert read_table(path).to_dict("list") == {"a": [1], "b": ["é"]}


def test_codes_read_as_text_keep_their_zero(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("code,n\n01,01\n", encoding="utf-8")
    assert read_table(path, ["code"]).to_dict("list") == {"code": ["01"], "n": [1]}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_chunks_put_together_are_the_table(tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame({"a": range(25), "b": [f"t{i}" for i in range(25)]})
    path = tmp_path / f"rows.{kind}"
    frame.to_parquet(path) if kind == "parquet" else frame.to_csv(path, index=False)
    chunks = list(read_chunks(path, rows=10))
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), frame)
    pd.testing.assert_frame_equal(read_table(path), frame)


def test_a_named_parquet_index_comes_back_as_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key"))
    frame.to_parquet(tmp_path / "named.parquet")
    frame.rename_axis(None).to_parquet(tmp_path / "unnamed.parquet")
    assert set(read_table(tmp_path / "named.parquet").columns) == {"a", "key"}
    assert list(read_table(tmp_path / "unnamed.parquet").columns) == ["a"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"a,b,a\n1,2,3\n", "more than one column named 'a'"),
        (b"a,b\n1,2\n1,2,3\n", "cannot be read"),
        (b"a,b\n1,2,3\n4,5,6\n", "cannot be read"),
        ("a,b\n1,é\n".encode("latin-1"), "not UTF-8"),
        (b"PAR1 and then nonsense", "cannot be read"),
        (b"\x1f\x8b cut off", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(UseCaseMistake, match=said) as caught:
        read_table(path)
    assert str(path) in str(caught.value)


def test_an_absent_file_is_named_in_full(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound, match=str(tmp_path / "gone.csv")):
        read_table(tmp_path / "gone.csv")


def test_a_decimal_comma_is_read_as_a_number(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("âge;revenu;ville\n41;12,5;Évry\n7;1200,25;Nice\n", encoding="utf-8")
    rows = read_table(path)
    assert rows["revenu"].tolist() == [12.5, 1200.25]
    assert rows["ville"].tolist() == ["Évry", "Nice"]


def test_a_comma_beside_decimal_points_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("price;pair\n12.5;1,2\n3.25;3,4\n", encoding="utf-8")
    rows = read_table(path)
    assert rows["price"].tolist() == [12.5, 3.25]
    assert rows["pair"].tolist() == ["1,2", "3,4"]
