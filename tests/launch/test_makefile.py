"""The Makefile names files that exist: a test that moves must not take a command with it."""

import re

from tests.processes import ROOT


def test_every_path_in_the_makefile_exists() -> None:
    paths = re.findall(r"\b(?:tests|scripts|faults|bench)/[\w./-]+", (ROOT / "Makefile").read_text())
    assert "scripts/with-rabbitmq.sh" in paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
