from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class SearchConfig(AppConfig):
    name = "chatsite.search"
    label = "search"
    verbose_name = "Search"

    def ready(self) -> None:
        pre_migrate.connect(_make_way, sender=self, dispatch_uid="search")
        post_migrate.connect(_keep_up, sender=self, dispatch_uid="search")


def _make_way(plan: Any = (), **_: Any) -> None:
    from chatsite.search import index

    if plan:
        index.make_way()


def _keep_up(**_: Any) -> None:
    from chatsite.search import index

    index.keep_up()
