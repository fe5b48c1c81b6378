"""What processes write reaches the terminal in whole lines, each under the name of its process."""

import pytest

from chatsite.launch.messages import ProcessLog


def test_pieces_are_joined_to_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log = ProcessLog("web", 0)
    for piece in ("Zür".encode()[:2], "Zür".encode()[2:], b"ich\nsecond", b" line\nunfinished"):
        log({"data": piece})
    assert capsys.readouterr().out == "web               | Zürich\nweb               | second line\n"


def test_bytes_that_are_no_text_do_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    ProcessLog("web", 0)({"data": b"\xff\n"})
    assert capsys.readouterr().out == "web               | �\n"
