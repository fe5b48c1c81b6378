"""Text from a model's tokens while they come, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

INCOMPLETE = "\ufffd"  # what a decoder puts in the place of bytes that are not a character, or not yet


class TokenText:
    """Decodes tokens one by one into the same text that decoding all of them at once gives.

    A character may be spread over tokens, and the text of a token may depend on the one before it; so the
    tokens since the last complete delta are decoded again together with those of that delta. The library's
    own streamer holds text back until the next space, which a long word or a wrong guess makes a long wait.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._previous = 0  # where the last delta's tokens begin
        self._given = 0  # and where they end

    def __len__(self) -> int:
        """How many tokens there have been."""
        return len(self._tokens)

    def add(self, token: int) -> str:
        """The text that `token` completes, often empty."""
        self._tokens.append(token)
        text = self._since_previous()
        if text.endswith(INCOMPLETE):
            return ""
        return self._give(text)

    def finish(self) -> str:
        """What is left of incomplete characters."""
        return self._give(self._since_previous())

    def _since_previous(self) -> str:
        return self._decode(self._tokens[self._previous :])

    def _give(self, text: str) -> str:
        delta = text[len(self._decode(self._tokens[self._previous : self._given])) :]
        self._previous, self._given = self._given, len(self._tokens)
        return delta

    def _decode(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


class StopText:
    """Ends a text before the first of some stop strings, holding back what may be the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self.is_found = False

    def add(self, text: str) -> str:
        """What may be shown now that `text` has been added."""
        if self.is_found:
            return ""
        text = self._held + text
        places = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if places:
            self.is_found = True
            self._held = ""
            return text[: min(places)]
        shown = len(text) - self._length_of_beginning(text)
        self._held = text[shown:]
        return text[:shown]

    def finish(self) -> str:
        """What was held back, now that nothing follows."""
        held, self._held = self._held, ""
        return held

    def _length_of_beginning(self, text: str) -> int:
        """How long the longest end of `text` is with which a stop string begins."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        lengths = range(min(longest, len(text)), 0, -1)
        return next((length for length in lengths if any(stop.startswith(text[-length:]) for stop in self._stops)), 0)
