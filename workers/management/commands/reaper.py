"""`manage.py reaper`: the process that gives back what was lost."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from workers.reaper import Reaper


class Command(BaseCommand):
    help = "Publish lost jobs again and give the jobs of dead workers a new attempt. Runs until SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        self.check(tags=["start"], include_deployment_checks=True)  # chatsite.operations.checks
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Reaper().run(stop)
