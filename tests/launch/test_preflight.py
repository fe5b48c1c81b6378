"""What stands in the way of a start is said in a sentence that names a way out."""

import shutil
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings

from chatsite.launch import preflight
from chatsite.launch.messages import LaunchError
from tests.environment import free_port


def test_a_machine_with_room_and_a_free_port_passes(tmp_path: Path) -> None:
    preflight.check_python()
    preflight.check_folder(tmp_path / "var")
    preflight.check_port(free_port())
    assert list((tmp_path / "var").iterdir()) == []
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700  # other people of this machine have no business in there


def test_a_busy_port_names_another_one() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LaunchError, match=f"Port {port} is in use.*PORT=.* make run"):
            preflight.check_port(port)


def test_a_number_that_is_no_port_is_refused() -> None:
    with pytest.raises(LaunchError, match="PORT=70000 is not a port"):
        preflight.check_port(70000)


def test_a_full_disk_is_told_with_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=12_000_000))
    with pytest.raises(LaunchError, match=r"12 MB are free, and Switchyard needs 300 MB.*VAR_DIR="):
        preflight.check_folder(tmp_path)


def test_a_folder_that_cannot_be_made_names_another_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LaunchError, match=r"cannot write there.*VAR_DIR=/path make run"):
        preflight.check_folder(tmp_path / "file" / "var")


def test_another_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(LaunchError, match=r"needs Python 3.11 or 3.12, and this is 3\.13"):
        preflight.check_python()


def test_a_redis_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(LaunchError, match=r"REDIS_URL \(127.0.0.1\) does not answer.*unset REDIS_URL") as raised:
        preflight.check_redis(f"redis://:hunter2@127.0.0.1:{free_port()}/0")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_does_not_answer_is_named_without_its_password(scheme: str) -> None:
    with pytest.raises(LaunchError, match=r"BROKER_URL \(127.0.0.1\) cannot be used.*unset BROKER_URL") as raised:
        preflight.check_broker(f"{scheme}://me:hunter2@127.0.0.1:{free_port()}/0")
    assert "hunter2" not in str(raised.value)


def test_a_broker_that_answers_passes() -> None:
    preflight.check_broker(settings.BROKER_URL)
