"""Files of labelled messages: JSONL or CSV in UTF-8 with `text`, `route` (or `role`) and, if wanted, `context`.

A file is taken as a whole or refused as a whole, with words that say what to change in it. No numpy in here: the web
tier reads uploads.
"""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, dropwhile, islice
from pathlib import Path
from typing import Any, BinaryIO

from router.models.labelled import fingerprint

MAX_MESSAGES = 20_000  # a check decides each of them twice: with more it would take longer than anybody waits
MAX_BYTES = 20_000_000
MAX_CHARACTERS = 100_000
SHOWN_CHARACTERS = 60
SHOWN_LINES = 5

_SYNONYMS = {"role": "route"}
_NEEDED = ("text", "route")
_SEPARATORS = (",", ";", "\t")
_JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
_MOSTLY = 0.5
_TOO_LONG = (
    f"A message may have {MAX_CHARACTERS:,} characters; there is a longer one in {{}}. The router reads the "
    "beginning and the end: leave out some of the middle."
)


class LabelledFileError(ValueError):
    """A file that is no set of labelled messages. The text says what to change in it."""


@dataclass(frozen=True)
class Case:
    """A message whose right route is known."""

    text: str
    route: str
    context: str = ""

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.text, self.context)


@dataclass(frozen=True)
class LabelledFile:
    """What a file holds: each message once, and how many lines said one again."""

    cases: list[Case]
    duplicates: int


@dataclass(frozen=True)
class _Row:
    line: int  # where it begins in the file
    values: Mapping[str, Any]  # by the name of the column


def shortened(text: str) -> str:
    """A text as the set can hold it: of one that is too long, its beginning and its end, which is all that is read."""
    half = (MAX_CHARACTERS - 1) // 2
    return text if len(text) <= MAX_CHARACTERS else f"{text[:half]}\n{text[-half:]}"


def read_labelled(source: Path | str | BinaryIO, routes: Collection[str] | None = None) -> list[Case]:
    """The messages of a file, each once, in its order. Raises `LabelledFileError`; see `read_file`."""
    return read_file(source, routes).cases


def read_file(
    source: Path | str | BinaryIO, routes: Collection[str] | None = None, name: str | None = None
) -> LabelledFile:
    """The messages of a path or an open binary file. `routes` are the names that there are; without them any will do.

    `name` is what the file is called, if its own name is not to be trusted. Raises `LabelledFileError`.
    """
    if not isinstance(source, (str, Path)):
        return _read(source, name or "", routes)
    try:
        with Path(source).open("rb") as file:
            return _read(file, name or Path(source).name, routes)
    except OSError as error:
        raise LabelledFileError(f"{source} cannot be read: {error.strerror}.") from error


def _read(file: BinaryIO, name: str, routes: Collection[str] | None) -> LabelledFile:
    rows = list(islice(_rows(_lines(file), name), MAX_MESSAGES + 1))
    if not rows:
        raise LabelledFileError("The file is empty: there is no message in it.")
    if len(rows) > MAX_MESSAGES:
        raise LabelledFileError(
            f"The file has more than {MAX_MESSAGES:,} messages, the most that is taken from one. Take a sample of it: "
            "a few hundred that are well chosen tell the check of a draft more, and sooner."
        )
    if routes is not None:
        _check_label_column(rows, routes)
    for column in _NEEDED:
        _check_column(rows, column)
    cases = [_case(row) for row in rows]
    lines = [row.line for row in rows]
    _check_texts(cases, lines)
    if routes is not None:
        _check_routes(cases, lines, routes)
    return _without_duplicates(cases, lines)


# --- From bytes to rows ---------------------------------------------------------------------------------------


def _lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """The lines with their numbers. Split at line feeds only: a text may hold other line separators."""
    size = 0
    for number, line in enumerate(file, start=1):
        size += len(line)
        if size > MAX_BYTES:
            raise LabelledFileError(f"The file is larger than {MAX_BYTES // 1_000_000} MB. Take a sample of it.")
        if number == 1:
            _check_kind(line)
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise LabelledFileError(
                f"Line {number} is not in UTF-8; it looks like Latin-1 or Windows-1252. Save the file as UTF-8 "
                "(in a spreadsheet: “CSV UTF-8”), and try again."
            ) from error
        yield number, text


def _check_kind(head: bytes) -> None:
    """Raises for what no decoder would name well, by how the file begins."""
    if head.startswith(b"PK\x03\x04"):
        raise LabelledFileError("This is a spreadsheet or an archive. Save the sheet as “CSV UTF-8”, and try again.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise LabelledFileError("The file is in UTF-16, or it is no text at all. Save it as UTF-8, and try again.")


def _rows(lines: Iterator[tuple[int, str]], name: str) -> Iterator[_Row]:
    begun = dropwhile(lambda pair: not pair[1].strip(), lines)
    number, line = next(begun, (0, ""))
    if line.lstrip().startswith("["):
        raise LabelledFileError("The file is one JSON list. Write each message on a line of its own (JSONL).")
    if line.lstrip().startswith("{") or name.lower().endswith(_JSON_ENDINGS):
        yield from (_json_row(*pair) for pair in chain([(number, line)], begun) if pair[1].strip())
    elif line:
        yield from _csv_rows(number, line, (line for _, line in begun))


def _json_row(number: int, line: str) -> _Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise LabelledFileError(
            f"Line {number} is not JSON ({reason}). Each line is an object of its own, for instance "
            '{"text": "tl;dr", "route": "summarise"}.'
        ) from error
    if not isinstance(row, dict):
        raise LabelledFileError(f"Line {number} is JSON, but no object with “text” and “route”.")
    return _Row(number, _renamed(row))


def _csv_rows(number: int, header: str, rest: Iterator[str]) -> Iterator[_Row]:
    separator = _separator(header)
    records = _records(number, chain([header], rest), separator)
    names = [name.strip().lower() for name in next(records)[1]]
    if any(len(name) > MAX_CHARACTERS for name in names):
        raise LabelledFileError(_TOO_LONG.format(f"line {number}"))
    if twice := next((name for name, count in Counter(names).items() if name and count > 1), None):
        raise LabelledFileError(f"The first line names the column “{twice}” twice.")
    for begins, values in records:
        if not any(value.strip() for value in values):  # spreadsheets write such lines below a table
            continue
        if len(values) != len(names):
            raise LabelledFileError(
                f"Line {begins} has {len(values)} values, and the first line names {len(names)} columns. "
                f"A text with {_called(separator)} in it stands in quotation marks."
            )
        yield _Row(begins, _renamed(dict(zip(names, values, strict=True))))


def _records(number: int, lines: Iterator[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """The records of CSV lines, the first of which has that number, each with the line in which it begins."""
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        begins = number + reader.line_num
        try:
            values = next(reader, None)
        except csv.Error as error:
            if "field limit" in str(error):
                raise LabelledFileError(_TOO_LONG.format(f"line {begins}")) from error
            if "new-line character" in str(error):
                raise LabelledFileError(
                    f"Line {begins} has a carriage return in it, as if the file came from an old Mac. Save it as "
                    "“CSV UTF-8”, and try again."
                ) from error
            raise LabelledFileError(
                f"Line {begins} is not CSV ({error}). A text with a line break, a quotation mark or "
                f"{_called(separator)} stands in quotation marks, and those inside it are doubled."
            ) from error
        if values is None:
            return
        yield begins, values


def _separator(header: str) -> str:
    """The one by which the first line has most of the columns that are meant."""

    def known(separator: str) -> int:
        names = {name.strip(' "\r\n').lower() for name in header.split(separator)}
        return len(names & {*_NEEDED, "context", *_SYNONYMS})

    return max(_SEPARATORS, key=lambda separator: (known(separator), separator in header))


def _called(separator: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab"}[separator]


def _renamed(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with lower-case names, and synonyms under the name that they stand for unless that is there itself."""
    renamed = {name.strip().lower(): value for name, value in row.items()}
    for synonym, name in _SYNONYMS.items():
        if synonym in renamed and name not in renamed:
            renamed[name] = renamed.pop(synonym)
    return renamed


# --- Whether it is what it should be ----------------------------------------------------------------------------


def _check_label_column(rows: Sequence[_Row], routes: Collection[str]) -> None:
    """Raises if another column than `route` has the routes."""
    hits = Counter(column for row in rows for column, value in row.values.items() if str(value).strip() in routes)
    best = max(hits, key=lambda column: hits[column], default="route")
    least = _MOSTLY * len(rows)
    if hits["route"] >= least or hits[best] < least:
        return
    if any("route" in row.values for row in rows):
        raise LabelledFileError(
            f"The labels are in the wrong column: it is “{best}” that holds the names of routes, and “route” does "
            f"not. Change the names of these two columns."
        )
    if best in routes:
        raise LabelledFileError("The first line has to name the columns: “text,route”. It seems to be a message.")
    raise LabelledFileError(
        f"There is no column “route”, but “{best}” holds the names of routes. Call that column “route”."
    )


def _check_column(rows: Sequence[_Row], column: str) -> None:
    without = [row.line for row in rows if column not in row.values]
    if len(without) == len(rows):
        found = [f"“{_cut(name)}”" for name in rows[0].values]
        raise LabelledFileError(
            f"There is no column “{column}”. The file has {_listed(found) if found else 'no columns'}; it needs “text” "
            "and “route”, and may have “context”."
        )
    if without:
        raise LabelledFileError(f"“{column}” is missing in {_named(without)}.")
    wrong = [row.line for row in rows if not isinstance(row.values[column], str)]
    if wrong:
        raise LabelledFileError(f"“{column}” is not a text in {_named(wrong)}.")


def _case(row: _Row) -> Case:
    context = "" if row.values.get("context") is None else row.values["context"]
    if not isinstance(context, str):
        raise LabelledFileError(f"“context” is not a text in line {row.line}.")
    return Case(row.values["text"], row.values["route"].strip(), context)


def _check_texts(cases: Sequence[Case], lines: Sequence[int]) -> None:
    pairs = list(zip(cases, lines, strict=True))
    if empty := [line for case, line in pairs if not case.text.strip()]:
        raise LabelledFileError(f"There is no text in {_named(empty)}.")
    if unlabelled := [line for case, line in pairs if not case.route]:
        raise LabelledFileError(f"There is no route in {_named(unlabelled)}.")
    if long := [line for case, line in pairs if max(len(case.text), len(case.context)) > MAX_CHARACTERS]:
        raise LabelledFileError(_TOO_LONG.format(_named(long)))
    if odd := [line for case, line in pairs if not _can_be_kept(case)]:
        raise LabelledFileError(f"There are characters that are no text (NUL, or half of a pair) in {_named(odd)}.")


def _can_be_kept(case: Case) -> bool:
    joined = case.text + case.context + case.route
    return "\0" not in joined and not any("\ud800" <= character <= "\udfff" for character in joined)


def _check_routes(cases: Sequence[Case], lines: Sequence[int], routes: Collection[str]) -> None:
    unknown: dict[str, list[int]] = defaultdict(list)
    for case, line in zip(cases, lines, strict=True):
        if case.route not in routes:
            unknown[case.route].append(line)
    if unknown:
        named = [f"“{_cut(route)}” ({_named(found)})" for route, found in unknown.items()]
        raise LabelledFileError(
            f"These are no routes: {_listed(named)}. The routes are {', '.join(routes)}. Correct the file, or make "
            "the missing routes first."
        )


def _without_duplicates(cases: Sequence[Case], lines: Sequence[int]) -> LabelledFile:
    """Raises for the same message with two routes."""
    first: dict[str, tuple[Case, int]] = {}
    torn = []
    for case, line in zip(cases, lines, strict=True):
        known, known_line = first.setdefault(case.fingerprint, (case, line))
        if known.route != case.route:
            torn.append(f"“{_cut(case.text)}” is {known.route} in line {known_line} and {case.route} in line {line}")
    if torn:
        raise LabelledFileError(f"A message has one right route: {_listed(torn)}. Keep one of them.")
    return LabelledFile([case for case, _ in first.values()], len(cases) - len(first))


def _named(lines: Sequence[int]) -> str:
    return f"line{'s' if len(lines) > 1 else ''} {_listed([*map(str, lines)])}"


def _listed(texts: Sequence[str]) -> str:
    """The first few in words."""
    shown, more = list(texts[:SHOWN_LINES]), len(texts) - SHOWN_LINES
    if more > 0:
        shown.append(f"{more:,} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
