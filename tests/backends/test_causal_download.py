"""What the Hugging Face Hub says about a repository, passed on in plain words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from workers.backends.causal_models import load
from workers.errors import UnknownModelError

ANSWERS = {
    "missing": (404, "RepoNotFound"),
    "gated": (403, "GatedRepo"),
    "old": (404, "RevisionNotFound"),
    "broken": (400, ""),
}


class _Hub(BaseHTTPRequestHandler):
    """Refuses every repository in the way that its name asks for."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        status, code = next(answer for name, answer in ANSWERS.items() if f"/{name}" in self.path)
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET


@pytest.fixture
def _hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("_hub")
@pytest.mark.parametrize(
    ("repository", "text"),
    [
        ("someone/missing", "There is no repository someone/missing"),
        ("someone/gated", "accepted its terms"),
        ("someone/old", "no revision v9"),
        ("someone/broken", "has not been downloaded"),
    ],
)
def test_a_refusal_of_the_hub_says_what_to_do(repository: str, text: str) -> None:
    with pytest.raises(UnknownModelError, match=text):
        load(repository, "v9")
