"""The server that `scripts/with-rabbitmq.sh` has started, and ways of troubling it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from workers import broker


class Server:
    def control(self, *command: str) -> None:
        done = subprocess.run(
            [os.environ["RABBITMQ_CTL"], *command], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def go_away(self) -> None:
        self.control("stop_app")

    def come_back(self) -> None:
        self.control("start_app")

    def forget(self) -> None:
        """Lose everything: queues, messages and the connections to them."""
        self.control("stop_app")
        self.control("reset")
        self.control("start_app")

    def freeze(self) -> None:
        os.kill(self._pid(), signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._pid(), signal.SIGCONT)

    def _pid(self) -> int:
        with open(os.environ["RABBITMQ_PID_FILE"]) as file:
            return int(file.read())


@pytest.fixture
def server() -> Iterator[Server]:
    yield Server()
    Server().thaw()
    Server().come_back()


@pytest.fixture(autouse=True)
def _empty_queues() -> None:
    """Each test begins without messages, and without what is remembered of them."""
    broker._queues.cache_clear()
    for queue in ("route", "embedded", "local", "remote", "files", "background"):
        if broker.depth(queue):
            Server().control("purge_queue", queue)
