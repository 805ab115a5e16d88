"""A file of answers, read a page at a time, and made safe for spreadsheets when it is downloaded."""

from __future__ import annotations

import csv
import io
import json
import os
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

#: Rows of one page.
PAGE_ROWS = 50
_MOST_PROBLEMS = 50
_DOWNLOADED_ROWS = 500
#: What makes a spreadsheet take a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a file of answers holds."""

    columns: tuple[str, ...]
    rows: int
    refused: int
    warned: int
    problems: tuple[tuple[str, str], ...]
    """The first refused rows: their number and what is wrong."""


def summarise(path: Path) -> Summary:
    """Reads the file once and notes beside it where each page begins; from then on, reads the note."""
    note = path.with_suffix(".summary.json")
    if note.is_file():
        told = json.loads(note.read_text(encoding="utf-8"))
        return Summary(
            tuple(told["columns"]),
            told["rows"],
            told["refused"],
            told["warned"],
            tuple((row, problem) for row, problem in told["problems"]),
        )
    found, starts = _scan(path)
    for name, content in ((_index(path), starts.tobytes()), (note, json.dumps(asdict(found)).encode())):
        unfinished = name.with_suffix(f".{os.getpid()}.unfinished")
        unfinished.write_bytes(content)
        os.replace(unfinished, name)
    return found


def page_of(path: Path, number: int) -> list[list[str]]:
    """The cells of a page's rows, counted from 0; empty beyond the end. The file must be summarised."""
    starts = array("q")
    with _index(path).open("rb") as index:
        index.seek(number * starts.itemsize)
        found = index.read(starts.itemsize)
    if len(found) < starts.itemsize:
        return []
    starts.frombytes(found)
    with path.open("rb") as file:
        file.seek(starts[0])
        records = (record for _, record in zip(range(PAGE_ROWS), _records(file), strict=False))
        return [_cells(record) for record in records]


def safe_for_spreadsheets(path: Path) -> Iterator[str]:
    """The file's text in pieces, an apostrophe before each text cell that looks like a formula."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    with path.open(encoding="utf-8", newline="") as file:
        for place, cells in enumerate(csv.reader(file)):
            writer.writerow([defused(cell) for cell in cells])
            if place % _DOWNLOADED_ROWS == _DOWNLOADED_ROWS - 1:
                yield written.getvalue()
                written.seek(0)
                written.truncate()
    yield written.getvalue()


def defused(cell: str) -> str:
    """The cell as a spreadsheet shows it; numbers stay what they are.

    >>> defused("=1+1"), defused("-0.5"), defused("-a"), defused("yes")
    ("'=1+1", '-0.5', "'-a", 'yes')
    """
    if not cell.startswith(_FORMULA):
        return cell
    try:
        is_number = cell.isascii() and cell == cell.strip() and float(cell) is not None
    except ValueError:
        is_number = False
    return cell if is_number else f"'{cell}"


def _scan(path: Path) -> tuple[Summary, array[int]]:
    rows = refused = warned = 0
    problems: list[tuple[str, str]] = []
    starts: array[int] = array("q")
    with path.open("rb") as file:
        header = next(_records(file), b"")
        columns = tuple(_cells(header))
        position = len(header)
        places = {name: place for place, name in enumerate(columns)}
        for record in _records(file):
            if rows % PAGE_ROWS == 0:
                starts.append(position)
            cells = _cells(record)
            problem = cells[places["problem"]]
            if problem:
                refused += 1
                if len(problems) < _MOST_PROBLEMS:
                    problems.append((cells[places["row"]], problem))
            warned += bool(cells[places["warnings"]])
            rows += 1
            position += len(record)
    return Summary(columns, rows, refused, warned, tuple(problems)), starts


def _records(file: Iterator[bytes] | io.BufferedReader) -> Iterator[bytes]:
    """The file's rows as bytes; a row with line breaks in quotes is one."""
    record = b""
    for line in file:
        record += line
        if record.count(b'"') % 2 == 0:
            yield record
            record = b""
    if record:
        yield record


def _cells(record: bytes) -> list[str]:
    return next(csv.reader(io.StringIO(record.decode("utf-8"), newline="")), [])


def _index(path: Path) -> Path:
    return path.with_suffix(".index")
