"""Signs in by a one-time link, asks for a summary over the WebSocket, and prints the answer: `ask_over_socket.py LINK`.

For a look at an installation from outside, as a browser sees it; needs the package websockets.
"""

import asyncio
import json
import re
import sys
import uuid
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, Request, build_opener

import websockets
from websockets.typing import Origin

TEXT = (
    "tl;dr in one sentence please: The harbour was closed on Monday after a storm had torn two cranes from their "
    "rails. Repairs will take a week. Ships wait outside, and the shops run out of fruit. The mayor says that "
    "nobody was hurt."
)


def sign_in(link: str, origin: str) -> str:
    """The cookies of a signed-in session. Raises `urllib.error.HTTPError` if the link is not good."""
    cookies = CookieJar()
    browser = build_opener(HTTPCookieProcessor(cookies))
    page = browser.open(link, timeout=30).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    if token is None:
        sys.exit("The page of the link has no form to sign in with.")
    form = urlencode({"csrfmiddlewaretoken": token[1]}).encode()
    browser.open(Request(link, form, {"Origin": origin, "Referer": link}), timeout=30)  # noqa: S310  (the caller's)
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)


async def ask(origin: str, cookies: str) -> None:
    """Send the message, watch its answer, and print it. Ends with 1 if there is none within two minutes."""
    url = origin.replace("http", "ws", 1) + "/ws/"
    headers = {"Cookie": cookies}
    socket = websockets.connect(url, origin=Origin(origin), additional_headers=headers)
    reply, text = None, ""
    async with asyncio.timeout(120), socket as ws:
        await ws.send(json.dumps({"type": "send", "client_id": str(uuid.uuid4()), "text": TEXT}))
        async for raw in ws:
            frame = json.loads(raw)
            if frame["type"] == "accepted":
                reply = frame["reply"]
                await ws.send(json.dumps({"type": "attach", "reply": reply}))
            elif frame.get("reply") == reply and frame["type"] in ("delta", "snapshot"):
                text += frame.get("text") or frame.get("tail", "")
            elif frame.get("reply") == reply and frame["type"] == "finished":
                shown = text or " ".join(re.sub(r"<[^>]+>", " ", frame["html"]).split())
                print(f"{frame['status']}: {shown}")
                sys.exit(frame["status"] != "done")


if __name__ == "__main__":
    parts = urlsplit(sys.argv[1])
    site = f"{parts.scheme}://{parts.netloc}"
    asyncio.run(ask(site, sign_in(sys.argv[1], site)))
