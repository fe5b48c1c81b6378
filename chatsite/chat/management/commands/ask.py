"""`manage.py ask "text"`: one message on the way that every message goes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatsite.chat import notices, turns
from chatsite.chat.models import Turn
from chatsite.chat.refusals import RefusedError
from router.revisions import live_revision
from workers import presence, tasks
from workers.connections import client, stream_key
from workers.events import Event, Kind

USERNAME = "command-line"


class Command(BaseCommand):
    help = (
        "Send one message, print the decision and the answer. Running workers answer it; where none run, this "
        "process does the work of the workers itself."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("text", help="the message; - reads it from standard input")
        parser.add_argument("--route", default="", help="choose the route instead of the router")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--timeout", type=float, default=300, help="seconds to wait for the answer (default 300)")

    def handle(self, *args: Any, **options: Any) -> None:
        if live_revision() is None:
            raise CommandError("No routes have been published yet. Run `manage.py load_defaults`.")
        text = sys.stdin.read() if options["text"] == "-" else options["text"]
        if _workers_are_running():
            turn = self._submit(text, options["route"])
            self._watch(turn, options)
        else:
            with _redis_of_our_own():
                turn = self._submit(text, options["route"])
                _do_the_work_here(turn)
        turn = Turn.objects.select_related("completion__answered_by", "completion__model", "decision").get(pk=turn.pk)
        self._print(turn, options["json"])

    def _submit(self, text: str, route: str) -> Turn:
        user, is_new = get_user_model().objects.get_or_create(username=USERNAME)
        if is_new:
            user.set_unusable_password()
            user.save()
        try:
            return turns.submit(user, text=text, wanted_route=route)
        except RefusedError as error:
            raise CommandError(error.text) from error

    def _watch(self, turn: Turn, options: dict[str, Any]) -> None:
        """Follow the reply's stream until its last event."""
        deadline = time.monotonic() + options["timeout"]
        last = "0-0"
        while time.monotonic() < deadline:
            for _, entries in client().xread({stream_key(turn.pk): last}, block=1000) or []:
                for entry in entries:
                    event = Event.from_entry(*entry)
                    last = str(event.offset)
                    if event.kind in Kind.FINAL:
                        return
            if not Turn.objects.select_related("completion").get(pk=turn.pk).answer.is_open:
                return
        raise CommandError(f"No answer within {options['timeout']:.0f} seconds. Are the workers running?")

    def _print(self, turn: Turn, as_json: bool) -> None:
        completion, decision = turn.completion, turn.decision
        answer = turn.answer
        model = completion and (completion.answered_by or completion.model)
        trouble = _trouble(answer.error_code, turn.decision.role if turn.decision else "")
        if as_json:
            self.stdout.write(json.dumps(_facts(turn, model, trouble), ensure_ascii=False))
            return
        if decision:
            score = f", score {decision.score:.2f}" if decision.score is not None else ""
            self.stdout.write(f"[{decision.route} by {decision.strategy}{score}; {model or 'no model'}]\n")
        self.stdout.write(trouble or (completion.text if completion else ""))


def _trouble(code: str, role: str) -> str:
    if not code:
        return ""
    notice = notices.notice(code, role=role)
    return f"{notice.title}. {notice.text}"


def _facts(turn: Turn, model: Any, trouble: str) -> dict[str, Any]:
    completion, decision = turn.completion, turn.decision
    return {
        "status": turn.answer.status,
        "decision": decision
        and {
            "route": decision.route,
            "role": decision.role,
            "strategy": decision.strategy,
            "score": decision.score,
            "threshold": decision.threshold,
            "scores": decision.scores,
            "evidence": decision.evidence,
            "revision": decision.revision_id,
            "duration_ms": round(decision.duration_ms, 2),
        },
        "model": str(model) if model else None,
        "answer": completion.text if completion else "",
        "result": completion.result if completion else None,
        "usage": completion.usage() if completion else None,
        "error": {"code": turn.answer.error_code, "text": trouble} if trouble else None,
    }


def _workers_are_running() -> bool:
    try:
        return presence.is_served(Turn.queue)
    except redis.RedisError:
        return False


@contextmanager
def _redis_of_our_own() -> Iterator[None]:
    """The streams and leases need a Redis: the configured one if it is there, else one for this command alone."""
    try:
        client().ping()
        yield
        return
    except redis.RedisError:
        client.cache_clear()
    from chatsite.celery import app
    from chatsite.launch.embedded_redis import EmbeddedRedis
    from chatsite.launch.messages import LaunchError

    with tempfile.TemporaryDirectory() as folder:
        try:
            server = EmbeddedRedis(Path(folder))
        except LaunchError as error:
            raise CommandError(f"Redis does not answer. {error}") from error
        settings.REDIS_URL = app.conf.broker_url = server.url
        process = subprocess.Popen(server.command, stdout=subprocess.DEVNULL)  # noqa: S603  (our own server)
        try:
            _wait_for_redis()
            yield
        finally:
            process.terminate()
            process.wait()


def _wait_for_redis(seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            client().ping()
            return
        except redis.RedisError as error:
            if time.monotonic() > deadline:
                raise CommandError(f"Redis could not be started: {error}") from error
            time.sleep(0.05)


def _do_the_work_here(turn: Turn) -> None:
    from chatsite.chat.tasks import decide_turn

    decide_turn(str(turn.pk), turn.attempt)
    completion = Turn.objects.get(pk=turn.pk).completion
    if completion:
        tasks.complete(str(completion.pk), completion.attempt)
