"""The Celery application that all tiers share."""

import gc
import os
import sys
from typing import Any

from celery import Celery
from celery.app.amqp import AMQP
from celery.signals import setup_logging, task_postrun, task_prerun, worker_init, worker_shutdown
from django.db import close_old_connections

from workers.broker import SteadyConnection
from workers.draining import FetchesUnlessDraining
from workers.pools import NeverForks
from workers.waking import WakeWhenFree

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
# Of Django's checks a worker needs those of `check_start`; all of them would load every page of the site first.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")


class Messaging(AMQP):
    Connection = SteadyConnection


app = Celery("switchyard", amqp=Messaging)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].update({FetchesUnlessDraining, NeverForks, WakeWhenFree})
app.autodiscover_tasks(["chatsite.chat", "chatsite.documents", "chatsite.routing", "chatsite.transfer", "workers"])
app.autodiscover_tasks(["chatsite.accounts"], related_name="mail")


@setup_logging.connect
def keep_logging(**_: Any) -> None:
    """Django has configured the logs; that somebody listens here keeps Celery from adding its own handlers."""


@worker_init.connect
def check_start(sender: Any, **_: Any) -> None:
    """A worker takes no task where answers would be lost."""
    from chatsite import garbage
    from chatsite.operations import checks
    from workers import isolation, tracing, warming

    queues = sender.app.amqp.queues.consume_from
    try:
        checks.check_queues(queues)
        checks.check_start()
    except checks.CannotStartError as error:
        sys.exit(str(error))
    warming.load_code(queues)
    isolation.prepare()  # before anything starts a thread
    tracing.prepare()
    garbage.look_less_often()


@task_prerun.connect
@task_postrun.connect
def keep_connections(**_: Any) -> None:
    """As around a request: to open one takes longer than most of what a task asks the database for."""
    close_old_connections()


@worker_shutdown.connect
def leave_quickly(**_: Any) -> None:
    """Spare the interpreter a last look at half a million objects of the model libraries: 1.4 s of a processor."""
    gc.freeze()
