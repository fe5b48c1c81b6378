"""From a preview asked for to the route being told: what a tab waits for while somebody types.

    python -m bench.previewing --count 100

Starts a web server and a light worker over a database and a Redis of its own, asks as one tab does, with and without a
file of 100,000 characters, prints one JSON object and ends everything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench.measuring import percentiles  # noqa: E402
from bench.sockets import Socket  # noqa: E402
from chatsite.documents.models import Attachment  # noqa: E402
from router.training_data import own_samples  # noqa: E402
from tests import processes  # noqa: E402
from tests.sessions import session_of  # noqa: E402

PAUSE_SECONDS = 0.25  # no more than five a second are answered


async def waits(session: str, texts: list[str], files: list[str]) -> list[float]:
    """Milliseconds from each question to its answer."""
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}"
    socket = await Socket.open(settings.PORT, "/ws/", Cookie=cookie, Origin=settings.ALLOWED_ORIGINS[0])
    found = []
    for number, text in enumerate(texts):
        began = time.perf_counter()
        socket.send(json.dumps({"type": "preview", "tag": str(number), "text": text, "files": files}).encode())
        while (message := await socket.receive()) and json.loads(message).get("tag") != str(number):
            continue
        found.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(PAUSE_SECONDS)
    socket.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="previews of each kind")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    call_command("load_defaults", verbosity=0)
    person = get_user_model().objects.create_user("typist")
    session = session_of(person)
    book = Attachment.objects.create(
        owner=person, name="book.txt", kind="text", size=1, text="Some words. " * 8333, status="done",
        finished_at=timezone.now(),
    )  # fmt: skip
    with processes.worker("route", concurrency=4), processes.web(settings.PORT):
        texts = [sample.text[:20_000] for sample in own_samples(0)[: options.count]]
        figures = {
            "text": percentiles(asyncio.run(waits(session, texts, []))),
            "with a file": percentiles(asyncio.run(waits(session, texts, [str(book.pk)]))),
        }
    print(json.dumps({"previews_of_each_kind": options.count, "milliseconds": figures}, indent=2))


if __name__ == "__main__":
    main()
