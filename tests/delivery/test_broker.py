"""What the broker holds: read from the lists of Redis, or told by what RabbitMQ confirmed and how much it has."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.test import override_settings

from workers import broker
from workers.broker import RabbitQueues, RedisQueues
from workers.connections import client
from workers.models import Completion

pytestmark = pytest.mark.django_db


def _keys(count: int) -> list[broker.TaskKey]:
    return [(str(uuid.uuid4()), 1) for _ in range(count)]


def _completion(attempt: int = 1) -> Completion:
    return Completion.objects.create(reply_id=uuid.uuid4(), role="generate", prompt=[], attempt=attempt)


# --- Redis ----------------------------------------------------------------------------------------------------------


def test_a_job_in_a_list_of_redis_is_not_lost() -> None:
    published, never_published = _completion(), _completion(attempt=2)
    published.publish()
    keys = {(str(job.pk), job.attempt) for job in (published, never_published)}
    assert broker.lost({"remote": keys}) == {(str(never_published.pk), 2)}
    assert broker.lost({}) == set()
    client().rpush("remote", "of another program", b"[1]", b'{"body": ""}', b'{"headers": {"argsrepr": null}}')
    assert broker.lost({"remote": keys}) == {(str(never_published.pk), 2)}


def test_the_depth_of_a_queue_counts_what_goes_first_too() -> None:
    assert broker.depth("remote") == 0
    _completion().publish()
    _completion(attempt=2).publish()
    assert broker.depth("remote") == 2


@pytest.fixture
def another_redis() -> Iterator[redis.Redis]:
    """Another database of the server stands for another server."""
    url = settings.REDIS_URL.removesuffix("/0") + "/1"
    client = redis.Redis.from_url(url)
    with override_settings(BROKER_URL=url):
        broker._queues.cache_clear()
        yield client
        client.flushdb()
    broker._queues.cache_clear()


def test_the_queues_are_read_where_the_broker_is(another_redis: redis.Redis) -> None:
    completion = _completion()
    with current_app.connection_for_write(settings.BROKER_URL) as connection:
        from workers.tasks import complete

        complete.apply_async(args=[str(completion.pk), 1], queue="remote", connection=connection)
    assert RedisQueues().jobs({"remote"}) == {(str(completion.pk), 1)}
    assert another_redis.llen("remote:5") == 1


# --- RabbitMQ -------------------------------------------------------------------------------------------------------


@pytest.fixture
def depths(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many messages a RabbitMQ server is said to have."""
    counts: dict[str, int] = {}
    monkeypatch.setattr(broker, "depth", lambda queue: counts.get(queue, 0))
    return counts


def _confirmed(rabbit: RabbitQueues, keys: list[broker.TaskKey]) -> set[broker.TaskKey]:
    for key in keys:
        rabbit.confirmed(key)
    return set(keys)


def test_what_was_confirmed_is_believed_and_what_was_not_is_lost(depths: dict[str, int]) -> None:
    rabbit, (missing, *published) = RabbitQueues(), _keys(3)
    waiting = {"remote": {missing} | _confirmed(rabbit, published)}
    depths["remote"] = 2
    assert [rabbit.lost(waiting) for _ in range(2)] == [{missing}] * 2


def test_a_queue_with_fewer_messages_than_rows_has_lost_some(depths: dict[str, int]) -> None:
    rabbit = RabbitQueues()
    waiting = {"remote": _confirmed(rabbit, _keys(3)), "local": _confirmed(rabbit, _keys(1))}
    depths.update(remote=2, local=1)
    assert rabbit.lost(waiting) == set(), "a message may be on its way to a worker"
    assert rabbit.lost(waiting) == waiting["remote"]


def test_a_queue_that_is_being_worked_off_has_lost_nothing(depths: dict[str, int]) -> None:
    rabbit, keys = RabbitQueues(), _keys(3)
    _confirmed(rabbit, keys)
    for left in (3, 2, 1):
        depths["remote"] = left - 1  # one is on its way, and claimed before the next look
        assert rabbit.lost({"remote": set(keys[:left])}) == set()


def test_an_old_look_says_nothing_of_what_came_later(depths: dict[str, int]) -> None:
    rabbit = RabbitQueues()
    rabbit.lost({"remote": _confirmed(rabbit, _keys(1))})
    rabbit.lost({})
    depths["remote"] = 2
    assert rabbit.lost({"remote": _confirmed(rabbit, _keys(2))}) == set()


def test_a_wiped_redis_makes_one_more_copy_and_no_loss(depths: dict[str, int]) -> None:
    rabbit = RabbitQueues()
    waiting = {"remote": set(_keys(2))}
    depths["remote"] = 2
    assert rabbit.lost(waiting) == waiting["remote"]
    _confirmed(rabbit, list(waiting["remote"]))
    depths["remote"] = 4
    assert rabbit.lost(waiting) == set()
