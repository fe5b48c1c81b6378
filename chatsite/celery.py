"""The Celery application that all tiers share."""

import os

from celery import Celery

from workers.slots import WakeWhenFree

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

app = Celery("switchyard")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(WakeWhenFree)
app.autodiscover_tasks(["chatsite.chat", "chatsite.routing", "workers"])
