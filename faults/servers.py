"""PostgreSQL for the suite; its Redis is `tests.environment.redis_server`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

USER = "nobody"  # the server refuses to run as root


def _binaries() -> Path:
    """Where the server's programs are: on the path, or where Debian puts the newest."""
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not versions:
        raise RuntimeError("FAULTS_DATABASE=postgresql needs a PostgreSQL server; on Debian: apt install postgresql")
    return versions[-1]


class PostgresServer:
    """A PostgreSQL server on loopback with its data under `directory`, to be killed and started again."""

    def __init__(self, port: int, directory: str) -> None:
        self.port = port
        self.url = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        self._data = Path(directory) / "postgresql"
        self._data.mkdir()
        self._user: Any = {"user": USER} if os.getuid() == 0 else {}
        if self._user:
            Path(directory).chmod(0o711)
            shutil.chown(self._data, USER)
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", USER, "--no-sync", "-E", "UTF8")

    def start(self) -> None:
        """Return once it answers."""
        options = ["-p", str(self.port), "-h", "127.0.0.1", "-k", str(self._data), "-c", "max_connections=200"]
        log = (self._data.parent / "postgresql.log").open("ab")
        self._process = subprocess.Popen(
            [_binaries() / "postgres", "-D", self._data, *options], stdout=log, stderr=log, **self._user
        )
        deadline = time.monotonic() + 60
        ready = [str(_binaries() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start; see {log.name}")
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, breaking every connection, and with a clean end."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [_binaries() / program, *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/", **self._user
        )
