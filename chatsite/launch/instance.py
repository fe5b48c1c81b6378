"""One launcher per folder of data; and no process of a launcher outlives it for good.

Every process that the launcher starts carries the folder's name in its environment. So the processes of a
launcher that was killed outright are found and ended by the next one, and nothing is left after a normal end.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from chatsite.launch.messages import LaunchError

MARK = "SWITCHYARD_INSTANCE"


@contextmanager
def only_one(var_dir: Path, address: str) -> Iterator[None]:
    """Hold the folder. Raises LaunchError if another launcher does."""
    with (var_dir / "launcher.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise LaunchError(
                f"Switchyard is already running with the data in {var_dir}: {lock.read().strip()}. "
                "Use that, or stop it with Ctrl-C in its terminal."
            ) from error
        lock.truncate(0)
        lock.write(f"{address} (process {os.getpid()})")
        lock.flush()
        yield


def mark(var_dir: Path) -> dict[str, str]:
    """What the environment of every started process has to contain."""
    return {MARK: str(var_dir.resolve())}


def end_leftovers(var_dir: Path) -> int:
    """End every process that a launcher of this folder started and that still runs. Returns their number."""
    leftovers = [process for process in psutil.process_iter() if _is_ours(process, var_dir)]
    for process in leftovers:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(leftovers, timeout=5)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=5)
    return len(leftovers)


def _is_ours(process: psutil.Process, var_dir: Path) -> bool:
    try:
        if process.name() == "redis-server":  # writes its title over its environment
            return Path(process.cwd()).parent == var_dir.resolve()
        return process.pid != os.getpid() and process.environ().get(MARK) == mark(var_dir)[MARK]
    except (psutil.Error, OSError):
        return False  # another person's process, or one that has just ended
