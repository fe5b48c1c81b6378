"""The Procfile: every line is a process that can be started, or says what is missing."""

import os
from pathlib import Path

import pytest

from chatsite.celery import app
from chatsite.launch.messages import LaunchError
from chatsite.launch.procfile import read, worker_command
from tests.processes import ROOT
from workers import queue_names
from workers.jobs import Job

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


def test_every_queue_that_something_waits_in_has_a_worker_and_no_other() -> None:
    of_jobs = {kind.queue for kind in Job.kinds() if isinstance(kind.queue, str)}
    of_models = {queue_names.queue_of(kind, "") for kind in queue_names.KINDS}
    served = {process.queue for process in read(ROOT / "Procfile", ENVIRONMENT)} - {None}
    assert served == of_jobs | of_models
    assert app.conf.task_default_queue in served


@pytest.mark.parametrize("queue", queue_names.KINDS)
def test_a_worker_for_a_group_of_models_is_started_as_the_one_of_the_procfile_is(queue: str) -> None:
    command = queue_names.start_command(queue).partition(" ")[2]
    assert command == worker_command(ROOT / "Procfile", queue).partition(" ")[2]


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
