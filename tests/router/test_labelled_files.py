"""Files of labelled messages: what is read, and what is said of a file that will not do."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from router.labelled import (
    MAX_CHARACTERS,
    MAX_MESSAGES,
    Case,
    LabelledFile,
    LabelledFileError,
    read_file,
    read_labelled,
)

ROUTES = ["summarise", "classify", "generate"]


def read(content: str | bytes, name: str = "") -> LabelledFile:
    content = content.encode() if isinstance(content, str) else content
    return read_file(io.BytesIO(content), ROUTES, name)


def refusal(content: str | bytes, name: str = "") -> str:
    with pytest.raises(LabelledFileError) as raised:
        read(content, name)
    return str(raised.value)


def jsonl(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_jsonl_and_csv_say_the_same() -> None:
    cases = [Case("tl;dr, please", "summarise"), Case('he said "no"\nand left', "classify", "before")]
    lines = jsonl(
        {"text": "tl;dr, please", "route": "summarise", "lang": "en"},
        {"text": 'he said "no"\nand left', "route": "classify", "context": "before"},
    )
    table = 'text,route,context\n"tl;dr, please",summarise,\n"he said ""no""\nand left",classify,before\n'
    assert read(lines).cases == read(table).cases == cases


def test_what_spreadsheets_write_is_read() -> None:
    """A mark at the beginning, semicolons or tabs, capital letters, Windows line ends, empty lines at the end."""
    table = '\ufeffText;Route\r\n"a; b";generate\r\n;\r\n\r\n'
    assert read(table).cases == [Case("a; b", "generate")]
    assert read("text\troute\na, b\tgenerate\n").cases == [Case("a, b", "generate")]


def test_role_is_another_word_for_route() -> None:
    assert read(jsonl({"text": "a", "role": "classify"})).cases == [Case("a", "classify")]
    both = {"text": "a", "role": "classify", "route": "generate"}
    assert read(jsonl(both)).cases == [Case("a", "generate")]


def test_messages_that_are_there_twice_count_once() -> None:
    row = {"text": "tl;dr", "route": "summarise"}
    file = read(jsonl(row, {**row, "text": " tl;dr\n"}, {**row, "context": "another answer"}))
    assert [case.context for case in file.cases] == ["", "another answer"]
    assert file.duplicates == 1


def test_a_path_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text("text,route\nhello,anything\n")
    assert read_labelled(path) == [Case("hello", "anything")]
    with pytest.raises(LabelledFileError, match="cannot be read: No such file"):
        read_labelled(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "The file is empty"),
        (b"\n \n", "The file is empty"),
        (b"text,route\n", "The file is empty"),
        ("text,route\nh\xe4llo,generate\n".encode("latin-1"), "Line 2 is not in UTF-8"),
        ("text,route\nhello,generate\n".encode("utf-16"), "in UTF-16"),
        ("text,route\nhello,generate\n".encode("utf-16-be"), "in UTF-16"),
        (b"PK\x03\x04 and so on", "Save the sheet as “CSV UTF-8”"),
    ],
)
def test_what_is_no_text_in_utf_8_is_named(content: bytes, complaint: str) -> None:
    assert complaint in refusal(content)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("text,route\ngenerate,hello\nclassify,spam?\n", "it is “text” that holds the names of routes"),
        ("text,route,label\na,x,generate\nb,x,classify\n", "it is “label” that holds the names of routes"),
        ("text,label\na,generate\n", "“label” holds the names of routes. Call that column “route”"),
        ("hello,generate\nspam?,classify\n", "has to name the columns"),
        ("message,route\na,generate\n", "There is no column “text”. The file has “message” and “route”; it"),
        ("text,text,route\na,b,generate\n", "names the column “text” twice"),
    ],
)
def test_columns_that_are_wrong_are_named(content: str, complaint: str) -> None:
    assert complaint in refusal(content)


def test_unknown_routes_are_listed_with_their_lines() -> None:
    rows = [{"text": f"message {n}", "route": "generate"} for n in range(20)]
    rows[2]["route"] = "genrate"
    for n in range(10, 18):
        rows[n]["route"] = "poems"
    text = refusal(jsonl(*rows))
    assert "“genrate” (line 3)" in text
    assert "“poems” (lines 11, 12, 13, 14, 15 and 3 more)" in text
    assert "The routes are summarise, classify, generate" in text


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (jsonl({"text": "a", "route": "generate"}) + "{broken\n", "Line 2 is not JSON"),
        (jsonl(["a", "generate"]), "one JSON list"),
        (jsonl({"text": "a", "route": "generate"}, 7), "Line 2 is JSON, but no object"),
        (jsonl({"text": "a", "route": "generate"}, {"text": 7, "route": "generate"}), "“text” is not a text in line 2"),
        (jsonl({"text": "a", "route": "generate"}, {"route": "generate"}), "“text” is missing in line 2"),
        (jsonl({"text": "a", "route": "generate", "context": []}), "“context” is not a text in line 1"),
        ("text,route\na,b,generate\n", "Line 2 has 3 values, and the first line names 2"),
        ('text,route\n"a,generate\n', "Line 2 is not CSV"),
        ('"text,route\n', "Line 1 is not CSV"),
        ("text,route\rhello,generate\r", "Line 1 has a carriage return in it"),
        ("text,route\n ,generate\na,\n", "There is no text in line 2"),
        ("text,route\na,generate\nb,\nc,generate\n", "There is no route in line 3"),
        (jsonl({"text": "half \ud83d", "route": "generate"}), "characters that are no text (NUL, or half of a pair)"),
        (jsonl({"text": "\0", "route": "generate"}), "characters that are no text"),
    ],
)
def test_lines_that_are_broken_are_named(content: str, complaint: str) -> None:
    assert complaint in refusal(content)


def test_a_file_that_says_it_is_json_is_read_as_json() -> None:
    assert "Line 1 is not JSON" in refusal("text,route\na,generate\n", "set.jsonl")


def test_the_same_message_with_two_routes_is_named() -> None:
    text = refusal("text,route\nshorter,summarise\nhello,generate\n shorter,classify\n")
    assert "“shorter” is summarise in line 2 and classify in line 4" in text


@pytest.mark.parametrize("length", [MAX_CHARACTERS + 1, 200_000])
def test_a_text_that_is_too_long_is_named(length: int) -> None:
    long = "x" * length
    assert "there is a longer one in line 2" in refusal(f"text,route\n{long},generate\n")
    assert "there is a longer one in line 1" in refusal(jsonl({"text": long, "route": "generate"}))


@pytest.mark.parametrize("length", [MAX_CHARACTERS + 1, 200_000])
def test_a_text_that_is_no_table_at_all_is_too_long_for_its_first_line(length: int) -> None:
    assert "there is a longer one in line 1" in refusal("x" * length)


def test_of_many_columns_a_few_are_named_and_at_once() -> None:
    header = ",".join(map(str, range(200_000)))
    assert "The file has “0”, “1”, “2”, “3”, “4” and 199,995 more; it needs" in refusal(header + "\n" + "a," * 199_999)


def test_columns_that_are_many_take_no_longer_than_their_values() -> None:
    class Counted(dict[str, str]):
        asked = 0

        def __contains__(self, name: object) -> bool:
            type(self).asked += 1
            return super().__contains__(name)

    rows = [{"text": f"message {n}", "route": "poems", f"id {n}": "x"} for n in range(100)]
    with pytest.raises(LabelledFileError, match="no routes"):
        read_file(io.BytesIO(jsonl(*rows).encode()), Counted(dict.fromkeys(ROUTES, "")))
    assert Counted.asked <= 5 * len(rows)


def test_a_hundred_thousand_rows_are_too_many_and_not_all_read() -> None:
    class Counted(io.BytesIO):
        lines = 0

        def __next__(self) -> bytes:
            self.lines += 1
            return super().__next__()

    file = Counted(b"text,route\n" + b"hello,generate\n" * 100_000)
    with pytest.raises(LabelledFileError, match=f"more than {MAX_MESSAGES:,} messages"):
        read_file(file, ROUTES)
    assert file.lines <= MAX_MESSAGES + 2
