"""With RabbitMQ as the broker nothing is lost, retries go first, and a worker holds no more than it runs."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from kombu.exceptions import OperationalError

from tests import processes
from tests.answers import queued, unpublished
from tests.backends.fake_provider import FakeProvider
from tests.conftest import Connect
from tests.processes import wait_until
from tests.rabbitmq.conftest import Server
from workers import broker
from workers.models import Completion, Model
from workers.reaper import Reaper

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def test_these_tests_have_rabbitmq() -> None:
    assert settings.IS_RABBITMQ, "run them by `make test-rabbitmq`"


@pytest.fixture
def model(connect: Connect) -> Model:
    return connect("tokens3")[0]


def _published(model: Model, count: int, **fields: Any) -> list[Completion]:
    return [queued(model, **fields) for _ in range(count)]


def _count(status: str) -> int:
    return Completion.objects.filter(status=status).count()


def test_retries_go_first(model: Model) -> None:
    first = _published(model, 5)
    (retried,) = _published(model, 1, attempt=2)
    with processes.worker("remote", concurrency=1):
        wait_until(lambda: _count("done") == 6, what="six answers")
    order = list(Completion.objects.order_by("started_at").values_list("pk", flat=True))
    # What is on top of the queue when the worker comes is the retry; the others keep their order.
    assert order == [retried.pk, *(completion.pk for completion in first)]


def test_a_worker_holds_no_more_than_it_runs(provider: FakeProvider, connect: Connect) -> None:
    (model,) = connect("gate1-tokens3")
    _published(model, 5)
    with processes.worker("remote", concurrency=2):
        wait_until(lambda: _count("running") == 2, what="two running answers")
        assert broker.depth("remote") == 3
        provider.release()
        wait_until(lambda: _count("done") == 5, what="five answers")


def test_a_message_in_the_hands_of_a_killed_worker_comes_back(model: Model) -> None:
    with processes.worker("remote", concurrency=1) as doomed:
        doomed.send(signal.SIGSTOP)  # the server hands the message to its socket, where nobody takes it
        _published(model, 1)
        wait_until(lambda: broker.depth("remote") == 0, what="the message to be on its way")
        doomed.kill()
        wait_until(lambda: broker.depth("remote") == 1, what="the message to be back")
    with processes.worker("remote", concurrency=1):
        wait_until(lambda: _count("done") == 1, what="the answer")


def _scan_until(reaper: Reaper, condition: Callable[[], object]) -> None:
    def holds() -> object:
        reaper.scan()
        return condition()

    wait_until(holds, what="the reaper to act")


def test_a_row_that_was_never_published_is_published_once(model: Model) -> None:
    _published(model, 2)
    unpublished(model)
    subject = Reaper()
    _scan_until(subject, lambda: broker.depth("remote") == 3)
    looks = iter(range(200))  # four seconds of looking
    _scan_until(subject, lambda: next(looks) == 199)
    assert broker.depth("remote") == 3


def test_what_a_server_has_forgotten_is_published_again(model: Model, server: Server) -> None:
    _published(model, 4)
    server.forget()
    assert broker.depth("remote") == 0
    with processes.reaper(), processes.worker("remote"):
        wait_until(lambda: _count("done") == 4, what="four answers")


def test_workers_and_waiting_messages_outlive_a_restart(model: Model, server: Server) -> None:
    with processes.worker("remote", concurrency=1) as worker:
        _published(model, 1)
        wait_until(lambda: _count("done") == 1, what="the answer before it")
        worker.send(signal.SIGSTOP)
        _published(model, 3)
        server.go_away()
        worker.send(signal.SIGCONT)
        server.come_back()
        wait_until(lambda: _count("done") == 4, what="the answers after it")
        _published(model, 1)
        wait_until(lambda: _count("done") == 5, what="one that was asked for later")


@pytest.mark.parametrize("trouble", ["go_away", "freeze"])
def test_a_message_is_accepted_while_the_server_does_not_answer(model: Model, server: Server, trouble: str) -> None:
    _published(model, 1)  # so that there is a connection to lose
    getattr(server, trouble)()
    late = unpublished(model)
    with pytest.raises(OperationalError):
        late.publish()
    late.enqueue_on_commit()  # what a web process does: logged, and left to the reaper
    server.thaw()
    server.come_back()
    with processes.reaper(), processes.worker("remote"):
        wait_until(lambda: _count("done") == 2, what="both answers")


def test_a_stopped_worker_hands_over_what_waits(provider: FakeProvider, connect: Connect) -> None:
    (model,) = connect("gate1-tokens3")
    _published(model, 3)
    with processes.worker("remote", concurrency=1) as leaving:
        wait_until(lambda: _count("running") == 1, what="a running answer")
        leaving.send(signal.SIGTERM)
        provider.release()
        leaving.wait(30)
    assert (_count("done"), broker.depth("remote")) == (1, 2)
