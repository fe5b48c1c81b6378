"""What changes seldom is asked once a moment."""

from __future__ import annotations

from typing import Any

import pytest

from workers.recently import recently


def test_one_answer_serves_for_a_moment_and_an_error_for_none(settings: Any) -> None:
    asked: list[int] = []

    @recently
    def count() -> int:
        asked.append(1)
        if len(asked) == 1:
            raise ConnectionError
        return len(asked)

    settings.LOOK_SECONDS = 3600
    with pytest.raises(ConnectionError):
        count()
    assert [count(), count()] == [2, 2]
    settings.LOOK_SECONDS = 0
    assert [count(), count()] == [3, 4]
