"""pyproject.toml says what is needed, constraints.txt which version of everything is installed."""

import re
import tomllib

from tests.processes import ROOT


def _pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {_normalised(name): version for name, version in pairs}


def _normalised(name: str) -> str:
    return re.sub(r"\[.*\]|[-_.]+", lambda match: "" if match[0][0] == "[" else "-", name).lower()


def test_every_dependency_has_the_same_version_in_both_files() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    names = ("web", "tracing", "worker", "local", "dev")
    installed = [entry for name in names for entry in groups[name] if isinstance(entry, str)]
    asked = dict(entry.split("==") for entry in installed)
    assert {name: _pinned().get(_normalised(name)) for name in asked} == asked, "run `make constraints`"


def test_constraints_suit_every_machine() -> None:
    text = (ROOT / "constraints.txt").read_text()
    assert not re.search(r"\+cpu|file:|https?:|^nvidia|^triton", text, re.MULTILINE)
