"""A worker's threads keep their connections to the database from task to task, as those of the site do."""

from __future__ import annotations

import pytest
from celery.fixups.django import DjangoWorkerFixup
from celery.signals import task_postrun, task_prerun
from django.db import connection

from chatsite.celery import app
from chatsite.chat.tasks import decide_turn

pytestmark = pytest.mark.django_db(transaction=True)


def run_a_task() -> None:
    """What happens around a task in a worker, by Celery itself and by us."""
    around = DjangoWorkerFixup(app)
    around.on_task_prerun(decide_turn)
    task_prerun.send(sender=decide_turn)
    connection.ensure_connection()
    task_postrun.send(sender=decide_turn)
    around.on_task_postrun(decide_turn)


def test_the_next_task_finds_the_connection_open() -> None:
    run_a_task()
    opened = connection.connection
    assert opened is not None
    run_a_task()
    assert connection.connection is opened


def test_one_that_has_lasted_its_time_is_replaced() -> None:
    run_a_task()
    opened, connection.close_at = connection.connection, 0.0
    run_a_task()
    assert connection.connection not in (None, opened)
