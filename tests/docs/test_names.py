"""What the docs name is there: files, pages that are linked to, commands and benchmarks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands

from tests.processes import ROOT

FOLDERS = [
    "bench",
    "chatsite",
    "deploy",
    "docs",
    "faults",
    "locale",
    "router",
    "scripts",
    "templates",
    "tests",
    "workers",
]
FILES = [path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
FILES += [path.name for path in ROOT.iterdir()]
PAGES = [ROOT / file for file in FILES if file.endswith(".md")]
OF_OPERATORS = {"docker-compose.override.yml"}


def _found(pattern: str) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for name in re.findall(pattern, page.read_text()):
            yield page, name


def test_links_lead_somewhere() -> None:
    links = [(page, link) for page, link in _found(r"\]\((?!https?:)([^)#]+)") if not (page.parent / link).exists()]
    assert links == []
    assert len(PAGES) > 30


def test_files_that_are_named_exist() -> None:
    """A name may leave out the folders that it follows from."""
    known = {file[start:] for file in FILES for start in (0, *(slash.end() for slash in re.finditer("/", file)))}
    named = _found(r"`([\w./-]+\.(?:html|js|jsonl|md|py|sh|toml|txt|ya?ml))`")
    assert [(page, name) for page, name in named if name not in known | OF_OPERATORS] == []


@pytest.mark.parametrize(
    ("pattern", "known"),
    [
        (r"manage\.py (?!`)(\w+)", set(get_commands())),
        (r"python -m bench\.(\w+)", {path.stem for path in (ROOT / "bench").glob("*.py")}),
        (r"`?make ([a-z-]+)`", set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))),
    ],
)
def test_commands_that_are_named_exist(pattern: str, known: set[str]) -> None:
    named = {name for _, name in _found(pattern)}
    assert named
    assert named <= known
