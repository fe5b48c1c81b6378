"""docs/settings.md names every setting that the code reads from the environment, with its default, and no other."""

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "settings.md"
# Read by the scripts that make calls, by pip, and by libraries.
READ_ELSEWHERE = {"PYTHON", "PIP_*", "HF_*", "OMP_NUM_THREADS", "OTEL_*", "NO_COLOR"}


def settings_read() -> set[str]:
    """The names of all settings that the code reads."""
    return {name for name, _ in _calls()}


def _calls() -> Iterator[tuple[str, list[ast.expr]]]:
    """The name and the other arguments of calls such as `env.int("PORT", 8000)`."""
    modules = [path for package in ("chatsite", "router", "workers") for path in (ROOT / package).rglob("*.py")]
    for node in chain.from_iterable(ast.walk(ast.parse(path.read_text())) for path in modules):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="env")), args=[ast.Constant(value=str(name)), *rest]):
                yield name, rest


def _numbers() -> dict[str, float]:
    """The settings whose default is a number, which is given as such; yes and no are 1 and 0."""
    numbers = {}
    for name, rest in _calls():
        match rest:
            case [ast.Constant(value=int() | float() as default)]:
                numbers[name] = float(default)
    return numbers


def _settings_on_page() -> dict[str, str]:
    """The defaults that the page tells, by the names of the settings."""
    rows = [line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return {row[1].strip(" `"): row[2].strip(" `") for row in rows}


@pytest.mark.parametrize("name", sorted(settings_read()))
def test_every_setting_is_on_the_page(name: str) -> None:
    assert name in _settings_on_page(), f"describe {name} in docs/settings.md"


def test_the_page_names_no_setting_that_is_gone() -> None:
    assert _settings_on_page().keys() - settings_read() == READ_ELSEWHERE


def test_the_page_tells_the_defaults_that_are_numbers() -> None:
    told, numbers = _settings_on_page(), _numbers()
    assert {name: float(told[name]) for name in numbers} == numbers
    assert len(numbers) > 15
