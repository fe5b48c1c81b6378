"""Uses an installation as a browser does, and ends with a sentence if something is not as it should be.

    visit.py LINK summary     asks for a summary of a text
    visit.py LINK file        attaches a PDF, waits until a worker has read it, and asks for a summary of it
    visit.py LINK stream N    has `bench/upstream.py` answer, whose N tokens have to be there each once and in order
    visit.py LINK move        exports all conversations, and imports them as others

LINK is what `manage.py sign_in_link` gives. Needs the package websockets.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import sys
import time
import uuid
from collections.abc import Callable
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, Request, build_opener

import websockets
from websockets.typing import Origin

SECONDS = 300  # for an answer, a file, an import: on a machine that has much else to do
TEXT = (
    "The harbour was closed on Monday after a storm had torn two cranes from their rails. Repairs will take a week. "
    "Ships wait outside, and the shops run out of fruit. The mayor says that nobody was hurt."
)


class Visitor:
    """Somebody who has signed in. Raises `urllib.error.HTTPError` if the link is not good."""

    def __init__(self, link: str) -> None:
        parts = urlsplit(link)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._cookies = CookieJar()
        self._browser = build_opener(HTTPCookieProcessor(self._cookies))
        self._post(link, urlencode({"csrfmiddlewaretoken": self._token(link)}).encode())

    def read(self, path: str) -> str:
        """The page or file at a path."""
        request = Request(self.origin + path, headers={"Accept-Language": "en"})  # noqa: S310  (the caller's)
        return str(self._browser.open(request, timeout=60).read().decode())

    def upload(self, path: str, name: str, content: bytes) -> str:
        """Hand in a file as a form does; what is answered."""
        edge = uuid.uuid4().hex
        field = f'--{edge}\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{self._token()}\r\n'
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = (field + head).encode() + content + f"\r\n--{edge}--\r\n".encode()
        return self._post(self.origin + path, body, f"multipart/form-data; boundary={edge}")

    async def ask(self, text: str, **more: object) -> str:
        """Send a message, and watch until its answer has ended well; the answer as the page shows it, without tags."""
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._cookies)
        socket = websockets.connect(
            self.origin.replace("http", "ws", 1) + "/ws/",
            origin=Origin(self.origin),
            additional_headers={"Cookie": cookies},
        )
        reply, is_begun = "", False
        async with asyncio.timeout(SECONDS), socket as ws:
            await ws.send(json.dumps({"type": "send", "client_id": str(uuid.uuid4()), "text": text, **more}))
            async for raw in ws:
                frame = json.loads(raw)
                if frame["type"] == "accepted":
                    reply = frame["reply"]
                    await ws.send(json.dumps({"type": "attach", "reply": reply}))
                elif frame.get("reply") == reply and frame["type"] == "delta" and not is_begun:
                    is_begun = True
                    print("The answer begins.", flush=True)
                elif frame.get("reply") == reply and frame["type"] == "finished":
                    words = _answer(frame["html"])
                    _insist(frame["status"] == "done", f"The answer ended as {frame['status']}: {words}")
                    return words
                elif frame["type"] == "error":
                    sys.exit(f"The message was refused: {frame}")
        sys.exit("The socket was closed before the answer was there.")

    def _token(self, link: str = "") -> str:
        page = self._browser.open(link or f"{self.origin}/transfer/", timeout=60).read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        return token[1] if token else sys.exit("The page has no form.")

    def _post(self, url: str, body: bytes, kind: str = "application/x-www-form-urlencoded") -> str:
        headers = {"Origin": self.origin, "Referer": url, "Content-Type": kind}
        return str(self._browser.open(Request(url, body, headers), timeout=60).read().decode())  # noqa: S310


def summary(visitor: Visitor) -> None:
    words = asyncio.run(visitor.ask(f"tl;dr in one sentence please: {TEXT}"))
    _insist("harbour" in words, f"This is no summary of what was asked: {words}")
    print("Summary:", words)


def file(visitor: Visitor) -> None:
    chip = json.loads(visitor.upload("/files/", "harbour.pdf", _pdf(TEXT)))["html"]
    name = re.search(r'data-file="([^"]+)"', chip)
    pk = name[1] if name else sys.exit(f"The file was not taken: {chip}")
    while 'data-state="reading"' in chip:
        time.sleep(0.5)
        chip = json.loads(visitor.read(f"/files/{pk}/"))["html"]
    _insist('data-state="ready"' in chip, f"The file was not read: {chip}")
    words = asyncio.run(visitor.ask("Summarise this file in one sentence.", files=[pk]))
    _insist("harbour" in words, f"This is no summary of the file: {words}")
    print("Summary of a file:", words)


def stream(visitor: Visitor, count: str) -> None:
    words = asyncio.run(visitor.ask("Tell me a long story.", route="generate"))
    came = [int(number) for number in re.findall(r"\bt(\d+)@\d+", words)]
    _insist(came == list(range(int(count))), f"Not {count} tokens in order, but {len(came)}: {words[:300]}…")
    print(f"All of {count} tokens of a remote model, each once and in order")


def move(visitor: Visitor) -> None:
    everything = json.loads(visitor.read("/transfer/conversations.json"))
    moved = everything["conversations"]
    _insist(any("harbour" in json.dumps(one) for one in moved), "What was written is not in the export.")
    for one in moved:
        one["id"] = str(uuid.uuid4())  # otherwise they would be here already
    page = visitor.upload("/transfer/import/", "conversations.json", json.dumps(everything).encode())
    while "Being imported" in page:
        time.sleep(0.5)
        page = visitor.read("/transfer/")
    said = re.search(r"\d+ conversations? imported", page)
    _insist(said is not None and said[0].startswith(f"{len(moved)} "), "Not everything was imported.")
    print(f"Exported {len(moved)}, and {said[0] if said else ''}")


def _answer(article: str) -> str:
    found = re.search(r'<div class="answer" dir="auto">(.*?)</div>', article, re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[1] if found else article)).split())


def _pdf(text: str) -> bytes:
    """A page with lines of text, as programs write it, but for its table of contents: readers make a new one."""
    lines = " ".join(f"({line}) Tj T*" for line in re.findall(r".{1,80}(?: |$)", text))
    page = f"BT /F 12 Tf 14 TL 50 800 Td {lines} ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F 4 0 R >> >> >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Length {len(page)} >>\nstream\n{page}\nendstream",
    ]
    body = "".join(f"{number} 0 obj\n{text}\nendobj\n" for number, text in enumerate(objects, 1))
    return f"%PDF-1.4\n{body}trailer\n<< /Root 1 0 R >>\nstartxref\n0\n%%EOF\n".encode()


def _insist(condition: bool, otherwise: str) -> None:
    if not condition:
        sys.exit(otherwise)


if __name__ == "__main__":
    steps: dict[str, Callable[..., None]] = {"summary": summary, "file": file, "stream": stream, "move": move}
    steps[sys.argv[2]](Visitor(sys.argv[1]), *sys.argv[3:])
