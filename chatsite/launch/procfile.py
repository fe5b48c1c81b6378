"""Reads the `Procfile`: one process per line, `name: command`."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from chatsite.launch.messages import LaunchError


@dataclass(frozen=True)
class Process:
    name: str
    command: list[str]

    @property
    def queue(self) -> str | None:
        """The queue that a worker serves: `worker-local` serves `local`."""
        return self.name.removeprefix("worker-") if self.name.startswith("worker-") else None


def read(path: Path, environment: Mapping[str, str]) -> list[Process]:
    """The processes of `path` in its order, with $VARIABLES from `environment` filled in.

    Raises LaunchError for a line that is no process, an unknown variable or a program that is not on PATH.
    """
    lines = (line.strip() for line in path.read_text().splitlines())
    return [_process(line, path.name, environment) for line in lines if line and not line.startswith("#")]


def worker_command(path: Path, queue: str) -> str:
    """The command of the line that starts a worker of `queue`, as it stands in the file; empty if there is none."""
    lines = (line.strip().partition(":") for line in path.read_text().splitlines())
    return next((command.strip() for name, _, command in lines if name == f"worker-{queue}"), "")


def slots_of(command: str) -> int:
    """How many tasks a worker that is started by `command` runs at a time."""
    words = shlex.split(command)
    return int(words[words.index("--concurrency") + 1]) if "--concurrency" in words else 1


def _process(line: str, file: str, environment: Mapping[str, str]) -> Process:
    name, colon, command = line.partition(":")
    if not colon or not command.strip():
        raise LaunchError(f"{file}: “{line}” is not of the form “name: command”.")
    try:
        words = shlex.split(Template(command).substitute(environment))
    except KeyError as error:
        raise LaunchError(f"{file}: {name} needs the environment variable {error.args[0]}.") from error
    program = shutil.which(words[0], path=environment.get("PATH"))
    if program is None:
        raise LaunchError(f"{file}: {name} needs the program {words[0]}, which is not installed.")
    return Process(name, [program, *words[1:]])
