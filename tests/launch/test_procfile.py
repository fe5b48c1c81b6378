"""The Procfile: every line is a process that can be started, or says what is missing."""

import os
from pathlib import Path

import pytest

from chatsite.launch.messages import LaunchError
from chatsite.launch.procfile import read
from tests.processes import ROOT

ENVIRONMENT = {"PATH": os.environ["PATH"], "PORT": "8123"}


def test_every_process_of_the_product_can_be_started() -> None:
    processes = read(ROOT / "Procfile", ENVIRONMENT)
    assert [process.name for process in processes] == [
        *("web", "worker-route", "worker-embedded", "worker-local", "worker-remote", "worker-files"),
        *("worker-background", "reaper"),
    ]
    assert all(Path(process.command[0]).exists() for process in processes)
    assert "8123" in processes[0].command


def test_a_worker_is_named_after_its_queue() -> None:
    for process in read(ROOT / "Procfile", ENVIRONMENT):
        if process.queue:
            assert process.command[process.command.index("-Q") + 1] == process.queue


def test_comments_and_empty_lines_are_no_processes(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("# one\n\nshell: sh -c 'echo $PORT and more'\n")
    (process,) = read(tmp_path / "Procfile", ENVIRONMENT)
    assert process.command[1:] == ["-c", "echo 8123 and more"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("just words", "“just words” is not of the form"),
        ("web:", "not of the form"),
        ("web: sh $NOBODY_SETS_THIS", "web needs the environment variable NOBODY_SETS_THIS"),
        ("web: no-such-program --flag", "web needs the program no-such-program"),
    ],
)
def test_a_line_that_cannot_work_is_told(tmp_path: Path, line: str, complaint: str) -> None:
    (tmp_path / "Procfile").write_text(line)
    with pytest.raises(LaunchError, match=complaint):
        read(tmp_path / "Procfile", ENVIRONMENT)
