"""docs/settings.md names every setting that the code reads from the environment, and no other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "settings.md"
# Read by the scripts that make calls, by pip, and by libraries.
READ_ELSEWHERE = {"PYTHON", "PIP_*", "HF_*", "OMP_NUM_THREADS", "OTEL_*", "NO_COLOR"}


def settings_read() -> set[str]:
    """The names of all settings that the code reads."""
    modules = [path for package in ("chatsite", "router", "workers") for path in (ROOT / package).rglob("*.py")]
    return {name for path in modules for name in _names_read(path)}


def _names_read(path: Path) -> Iterator[str]:
    """The first arguments of calls such as `env.int("PORT", 8000)`."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="env")), args=[ast.Constant(value=str(name)), *_]):
                yield name


def _settings_on_page() -> set[str]:
    return {line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")}


@pytest.mark.parametrize("name", sorted(settings_read()))
def test_every_setting_is_on_the_page(name: str) -> None:
    assert name in _settings_on_page(), f"describe {name} in docs/settings.md"


def test_the_page_names_no_setting_that_is_gone() -> None:
    assert _settings_on_page() - settings_read() == READ_ELSEWHERE
