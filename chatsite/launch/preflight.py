"""Checks before anything is started; each failure is a sentence that says what to do."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import redis
from django.conf import settings
from kombu import Connection
from kombu.exceptions import OperationalError

from chatsite.launch.messages import LaunchError

FREE_DISK_BYTES = 300_000_000


def check_python() -> None:
    if not (3, 11) <= sys.version_info[:2] <= (3, 12):
        version = ".".join(map(str, sys.version_info[:2]))
        raise LaunchError(f"Switchyard needs Python 3.11 or 3.12, and this is {version}. Install one of them.")


def check_folder(var_dir: Path) -> None:
    """`var_dir` must take files, and have room for them."""
    try:
        var_dir.mkdir(0o700, parents=True, exist_ok=True)
        probe = var_dir / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise LaunchError(f"The disk of {var_dir} is full. Make room and start again.") from error
        raise LaunchError(
            f"Switchyard keeps its data in {var_dir} and cannot write there ({error.strerror}). "
            "Make it writable or choose another folder: VAR_DIR=/path make run"
        ) from error
    free = shutil.disk_usage(var_dir).free
    if free < FREE_DISK_BYTES:
        raise LaunchError(
            f"The disk of {var_dir} is nearly full: {free // 1_000_000} MB are free, and Switchyard needs "
            f"{FREE_DISK_BYTES // 1_000_000} MB. Make room, or choose another folder: VAR_DIR=/path make run"
        )


def check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError as error:
            raise LaunchError(f"Port {port} needs root. Choose one from 1024 up: PORT=8000 make run") from error
        except OSError as error:
            other = port + 1 if port < 65535 else 8000
            raise LaunchError(
                f"Port {port} is in use. Stop what uses it or choose another: PORT={other} make run"
            ) from error
        except OverflowError as error:
            raise LaunchError(f"PORT={port} is not a port. Choose one from 1024 to 65535.") from error


def check_redis(url: str) -> None:
    """A Redis server that the environment names must answer."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        host = urlsplit(url).hostname or "REDIS_URL"
        raise LaunchError(
            f"The Redis server of REDIS_URL ({host}) does not answer: {str(error).rstrip('.')}. Start it, or unset "
            "REDIS_URL to use the embedded one."
        ) from error


def check_broker(url: str) -> None:
    """A broker of its own that the environment names must answer, and let us in."""
    try:
        address, certificates = url.replace("unix://", "redis+socket://", 1), settings.CELERY_BROKER_USE_SSL
        with Connection(address, ssl=certificates, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
    except (OperationalError, OSError, ValueError, KeyError) as error:
        host = urlsplit(url).hostname or "BROKER_URL"
        raise LaunchError(
            f"The broker of BROKER_URL ({host}) cannot be used: {str(error).rstrip('.') or type(error).__name__}. "
            "Start it or correct its address, or unset BROKER_URL to use the Redis server."
        ) from error
