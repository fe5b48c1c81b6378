"""The embedded Redis: private, durable, and found by other commands."""

import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from chatsite.launch.embedded_redis import EmbeddedRedis
from tests.processes import wait_until


@contextmanager
def _running(server: EmbeddedRedis) -> Iterator[redis.Redis]:
    process = subprocess.Popen(server.command)
    client = redis.Redis.from_url(server.url, decode_responses=True)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            assert process.poll() is None, server.log.read_text()
            return False

    try:
        wait_until(answers, what="the embedded Redis")
        yield client
    finally:
        process.terminate()
        process.wait(10)


def test_it_never_evicts_and_keeps_what_was_written(tmp_path: Path) -> None:
    with _running(EmbeddedRedis(tmp_path)) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("append*")["appendfsync"] == "everysec"
        client.set("greeting", "hello")
    with _running(EmbeddedRedis(tmp_path)) as client:
        assert client.get("greeting") == "hello"


def test_it_listens_on_this_machine_only_and_asks_for_a_password(tmp_path: Path) -> None:
    with _running(EmbeddedRedis(tmp_path)) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        stranger = redis.Redis(port=client.get_connection_kwargs()["port"])
        with pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_its_address_is_for_the_owner_of_the_folder_only(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    assert (tmp_path / "redis.url").read_text() == server.url
    for file in (tmp_path / "redis.url", tmp_path / "redis" / "redis.conf"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    server.forget()
    assert not (tmp_path / "redis.url").exists()
