"""Random histories of an answer: row 32."""

import pytest

from faults.model import explore
from faults.recording import Record, Scaled

pytestmark = pytest.mark.database


def test_row_32_no_history_of_faults_breaks_an_answer(
    seed: int, record: Record, scaled: Scaled, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = scaled(2000, 100)
    explore(monkeypatch, examples, seed)
    record(32, "random histories", {"answers": examples, "wrong": 0})
