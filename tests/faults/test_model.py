"""Random histories of an answer: whatever dies, freezes, forgets or comes twice, what must hold holds."""

import pytest

from faults.model import explore


def test_no_history_of_faults_breaks_an_answer(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    explore(monkeypatch, examples=100)
