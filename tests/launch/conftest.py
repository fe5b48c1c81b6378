"""A launcher as a person starts it: a process of its own, with a folder and a port of its own."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection

from tests.environment import free_port
from tests.processes import ROOT, wait_until

QUIETLY = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); from chatsite.launch.__main__ import main; main()"
)


class Launcher:
    """`make run` with its output in a file. Leaves nothing behind."""

    def __init__(self, procfile: Path, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._log = folder.parent / f"launcher-{self.port}.log"
        inherited = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "BROKER_URL")}
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "chatsite.launch", str(procfile)],
            cwd=ROOT,
            env=inherited
            | {"VAR_DIR": str(folder), "PORT": str(self.port), "DJANGO_SETTINGS_MODULE": "chatsite.settings"}
            | environ,
            stdout=self._log.open("wb"),
            stderr=subprocess.STDOUT,
        )
        self.pid = self._popen.pid

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str, seconds: float = 120) -> None:
        wait_until(lambda: text in self.output or self._popen.poll() is not None, seconds, f"“{text}”")
        assert text in self.output, self.output

    def children(self) -> list[psutil.Process]:
        """Every process below the launcher."""
        return psutil.Process(self.pid).children(recursive=True)

    def pid_of(self, words: str) -> int | None:
        """The direct child whose command line contains `words`, if it runs."""
        for child in psutil.Process(self.pid).children():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if words in " ".join(child.cmdline()):
                    return child.pid
        return None

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def exit_code(self, seconds: float = 60) -> int:
        return self._popen.wait(seconds)

    def close(self) -> None:
        if self._popen.poll() is None:
            self.send(signal.SIGTERM)
            self.exit_code()


@pytest.fixture(scope="session")
def used_folder(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any) -> Path:
    """What a first start leaves behind: a database, which takes four seconds to make."""
    folder = tmp_path_factory.mktemp("used")
    with django_db_blocker.unblock(), closing(sqlite3.connect(folder / "switchyard.sqlite3")) as copy:
        connection.ensure_connection()
        connection.connection.backup(copy)
    return folder


@pytest.fixture
def launch(tmp_path: Path, used_folder: Path) -> Iterator[Callable[..., Launcher]]:
    """Start launchers; each is given the text of a Procfile, or runs the real one.

    Where no folder is named, it begins in one that was used before, or in none if it `is_first`.
    """
    launchers: list[Launcher] = []

    def start(
        procfile: str | None = None, folder: Path | None = None, *, is_first: bool = False, **environ: str
    ) -> Launcher:
        path = ROOT / "Procfile"
        if procfile is not None:
            path = tmp_path / "Procfile"
            path.write_text(procfile)
        if folder is None:
            folder = tmp_path / "var"
            if not is_first:
                shutil.copytree(used_folder, folder)
        launchers.append(Launcher(path, folder, **environ))
        return launchers[-1]

    yield start
    for launcher in launchers:
        launcher.close()
