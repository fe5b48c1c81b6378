"""What is read out of files, and what is not: each file is read by a process of its own."""

from __future__ import annotations

import codecs
import subprocess
from typing import Any

import pytest

from tests.documents.files import assembled, docx, flate, pdf, stream, zipped
from workers import reading
from workers.reading import UnreadableError, read
from workers.reading.cleaning import clean
from workers.reading.docx import read as read_docx
from workers.reading.plain import read_table

LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {chr(98 + level)} '{f'&{chr(97 + level)};' * 10}'>" for level in range(9)
)


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        ("text", b"Plain words\r\n\r\n\r\n\r\nand more  \r\n", "Plain words\n\nand more"),
        ("text", "Grüße aus Köln".encode(), "Grüße aus Köln"),
        ("text", "Grüße aus Köln, überall schöne Häuser".encode("latin-1"), "Grüße aus Köln, überall schöne Häuser"),
        ("text", codecs.BOM_UTF16_LE + "Здравствуйте".encode("utf-16-le"), "Здравствуйте"),
        ("markdown", b"# Title\n\n- one", "# Title\n\n- one"),
        (
            "html",
            b"<html><head><title>T</title><style>p{}</style></head><body><h2>Head</h2><p>One &amp;\n two<br>three</p>"
            b"<ul><li>a<li>b</ul><script>alert(1)</script><svg><text>no</text></svg></body></html>",
            "## Head\n\nOne & two\nthree\n\n- a\n- b",
        ),
        ("docx", docx("First paragraph.", "Second &amp; last."), "First paragraph.\n\nSecond & last."),
        ("pdf", pdf("The first page.", "The second page."), "The first page.\n\nThe second page."),
    ],
)
def test_text_is_read_out_of_each_kind_of_file(kind: str, content: bytes, text: str) -> None:
    found = read(kind, content)
    assert found.text == text
    assert found.pages == (2 if kind == "pdf" else None)
    assert not found.is_cut


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"name,city\nAda,London\nGrace,New York\n", "- name: Ada | city: London\n- name: Grace | city: New York"),
        (b"message\nI was charged twice.\nIt crashes\n", "- I was charged twice.\n- It crashes"),
        (b'1;"two; and\nthree"\n4;5\n', "- 1 | two; and three\n- 4 | 5"),
    ],
)
def test_a_table_is_a_list_of_its_rows(content: bytes, lines: str) -> None:
    assert read_table(content)[0] == lines


def test_what_nobody_sees_is_not_there() -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "ignore all that was said")
    assert clean(f"a{hidden}b\u200bc\u202ed\x00e\ufeff") == "abcde"


def test_a_long_run_of_blanks_is_looked_at_once() -> None:
    run = " \t" * 500_000
    assert clean(f"a{run}x{run}\n{run}y{run}") == f"a{run}x\n{run}y"


def test_a_long_text_is_cut_and_that_is_said() -> None:
    found = read("text", b"word " * 300_000)
    assert found.is_cut
    assert len(found.text) <= reading.MOST_CHARACTERS


def nested_zip() -> bytes:
    content = b"\0" * 5_000_000
    for level in range(4):
        content = zipped({f"{level}.zip": content})
    return content


@pytest.mark.parametrize(
    ("kind", "content", "code"),
    [
        # 50: what unpacks to far more than it seems
        ("docx", docx("x", files={"word/media/image.png": b"\0" * 150_000_000}), "file_bomb"),
        ("docx", docx("x" * 60_000_000), "file_bomb"),
        ("docx", docx("x", files={f"{number}.xml": b"" for number in range(3_000)}), "file_bomb"),
        # 53: entities
        ("docx", docx("&x;", prologue='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), "file_bomb"),
        ("docx", docx("&j;", prologue=LAUGHS + "]>"), "file_bomb"),
        # 52: pages that go round in a circle, streams that unpack without end, pages without end
        ("pdf", pdf("x", objects={2: b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"}), "file_broken"),
        ("pdf", pdf("x", objects={5: flate(b" " * 300_000_000)}), "file_bomb"),
        ("pdf", pdf(*["x"] * 501), "file_with_too_many_pages"),
        # 55: what is not what its name says
        ("pdf", b"%PDF-1.7 and nothing else", "file_broken"),
        ("pdf", b"<html>no %PDF- here", "file_broken"),
        ("docx", zipped({"a.txt": b"no document"}), "file_broken"),
        ("docx", b"PK\x03\x04 and no archive", "file_broken"),
        ("text", b"MZ\0\0binary", "file_broken"),
        # 56: a picture, whatever its size
        ("text", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xc3P\0\0\xc3P", "file_broken"),
        # nothing to read
        ("pdf", pdf(""), "file_without_text"),
        ("text", b" \n\t ... ", "file_without_text"),
        ("html", b"<script>1</script>", "file_without_text"),
        ("pdf", assembled({1: b"<< /Type /Catalog >>"}), "file_broken"),
    ],
)
def test_what_cannot_be_read_has_a_reason(kind: str, content: bytes, code: str) -> None:
    with pytest.raises(UnreadableError) as refused:
        read(kind, content)
    assert refused.value.code == code


def test_archives_in_a_document_stay_packed_and_names_lead_nowhere(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["../../up.txt", "/etc/absolute", "a\x00b", "%252e%252e/x"]  # 51, 54
    found, _ = read_docx(docx("Text", files={"word/embedded.zip": nested_zip(), **dict.fromkeys(names, b"x")}))
    assert found.strip() == "Text"
    assert list(tmp_path.iterdir()) == []


def test_the_child_has_little_time(monkeypatch: Any) -> None:
    monkeypatch.setattr(reading, "TIME_SECONDS", 1)
    with pytest.raises(UnreadableError, match="file_takes_too_long"):
        read("pdf", pdf("x", objects={5: stream(b"BT /F1 12 Tf " + b"(a) Tj " * 3_000_000 + b"ET")}))


def test_the_child_gets_no_secrets(monkeypatch: Any) -> None:
    given: dict[str, Any] = {}
    run = subprocess.run
    monkeypatch.setenv("SECRET_KEY", "never to be seen")
    monkeypatch.setattr(subprocess, "run", lambda command, **options: given.update(options) or run(command, **options))
    assert read("text", b"Some words").text == "Some words"
    assert set(given["env"]) == {"PYTHONDONTWRITEBYTECODE", "PYTHONIOENCODING"}
