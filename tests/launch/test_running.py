"""`make run` as a process: it comes up, replaces what dies, and leaves nothing behind."""

import os
import re
import signal
from collections.abc import Callable

import psutil
import pytest

from tests.launch.conftest import Launcher
from tests.processes import wait_until

pytestmark = pytest.mark.processes

UP = "Switchyard runs at"
# Stand-ins that start at once; the last one leaves a child of its own behind when it is ended.
SMALL = """\
web: python -m http.server --bind 127.0.0.1 $PORT
sleeper: sh -c "sleep 1000 & sleep 1000"
"""


def _kill_and_wait_for_the_next(launcher: Launcher, words: str) -> None:
    victim = launcher.pid_of(words)
    assert victim
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: launcher.pid_of(words) not in (None, victim), what=f"the next {words}")


def _lives(process: psutil.Process) -> bool:
    """A process that has ended and whose parent is gone is init's to bury, some time."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _names(processes: list[psutil.Process]) -> set[str]:
    return {process.name() for process in processes}


def test_the_product_comes_up_recovers_from_kills_and_ends_completely(launch: Callable[..., Launcher]) -> None:
    launcher = launch(is_first=True)
    launcher.wait_for(UP, 180)
    assert re.search(rf"http://127\.0\.0\.1:{launcher.port}/sign-in/[\w-]{{40,}}/", launcher.output)
    assert (launcher.folder / "redis.url").exists()

    for words in ("-Q local", "uvicorn", "redis-server"):
        _kill_and_wait_for_the_next(launcher, words)
    said = "was ended by SIGKILL and is started again"
    wait_until(lambda: launcher.output.count(said) == 3, what="the words for the three that were killed")

    processes = launcher.children()
    launcher.send(signal.SIGINT)
    assert launcher.exit_code() == 0, launcher.output
    assert not list(filter(_lives, processes))
    assert not (launcher.folder / "redis.url").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_process_without_a_traceback(
    launch: Callable[..., Launcher], number: signal.Signals
) -> None:
    launcher = launch(SMALL)
    launcher.wait_for(UP)
    processes = launcher.children()
    assert {"redis-server", "sh", "sleep"} <= _names(processes)
    launcher.send(number)
    assert launcher.exit_code() == 0, launcher.output
    assert not list(filter(_lives, processes))
    assert "Traceback" not in launcher.output


@pytest.mark.parametrize("moment", ["Starting the embedded Redis", "Preparing the database", "Starting web"])
def test_a_signal_during_the_start_leaves_nothing_behind(launch: Callable[..., Launcher], moment: str) -> None:
    launcher = launch(SMALL, is_first=moment == "Preparing the database")
    launcher.wait_for(moment)
    processes = launcher.children()
    launcher.send(signal.SIGINT)
    assert launcher.exit_code() == 0, launcher.output
    assert not list(filter(_lives, processes))
    assert "Traceback" not in launcher.output


def test_a_process_that_cannot_start_stops_the_start(launch: Callable[..., Launcher]) -> None:
    # A web process that never answers, so that nothing is up before the other one ends.
    launcher = launch("web: sleep 1000\nbroken: sh -c \"seq 5000; printf 'I have no disk'; exit 3\"\n")
    assert launcher.exit_code() == 1
    assert re.search(r"broken +\| 5000\nbroken +\| I have no disk\n", launcher.output), launcher.output[-2000:]
    assert "broken ended with exit code 3 before everything was up" in launcher.output
    assert "Traceback" not in launcher.output


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "abc", 'Environment variable "PORT" invalid'),
        ("DEBUG", "0", "Set SECRET_KEY: with DEBUG=0 it has no default"),
        ("VAR_DIR", "/dev/null/var", "VAR_DIR=/path make run"),
    ],
)
def test_a_setting_that_cannot_work_is_a_sentence(
    launch: Callable[..., Launcher], name: str, value: str, sentence: str
) -> None:
    launcher = launch(SMALL, **{name: value})
    assert launcher.exit_code() == 1
    assert sentence in launcher.output
    assert "Traceback" not in launcher.output


def test_a_second_start_with_the_same_data_is_refused(launch: Callable[..., Launcher]) -> None:
    first = launch(SMALL)
    first.wait_for(UP)
    second = launch(SMALL, folder=first.folder)
    assert second.exit_code() == 1
    assert f"already running with the data in {first.folder}: http://127.0.0.1:{first.port}" in second.output
    assert psutil.pid_exists(first.pid)


def test_what_a_killed_launcher_left_behind_is_ended_by_the_next(launch: Callable[..., Launcher]) -> None:
    first = launch(SMALL)
    first.wait_for(UP)
    left = first.children()
    first.send(signal.SIGKILL)
    first.exit_code()
    second = launch(SMALL, folder=first.folder)
    second.wait_for(UP)
    assert not [process for process in left if process.is_running()]
    assert "processes that an earlier start had left behind" in second.output
