"""What a person wanted and cannot have."""

from __future__ import annotations

from typing import Any

from chatsite.chat import notices


class RefusedError(Exception):
    """`code` names the notice, `text` says what to do instead, `status` is that of an HTTP response."""

    status = 400

    def __init__(self, code: str, **facts: Any) -> None:
        self.code = code
        self.text = notices.text(code, **facts)
        super().__init__(self.text)


class BusyError(RefusedError):
    """Too much is asked for at once; in `retry_after` seconds it may be otherwise."""

    def __init__(self, code: str, *, status: int, retry_after: int, **facts: Any) -> None:
        super().__init__(code, when=notices.duration(retry_after), **facts)
        self.status = status
        self.retry_after = retry_after
