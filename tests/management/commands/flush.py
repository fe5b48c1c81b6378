"""What empties the database between tests, in place of Django's."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.core.management.commands import flush
from django.db import connections

KEPT = {kind._meta.db_table for kind in (ContentType, Permission)}


class Command(flush.Command):
    """Empties every table but those whose rows come from the code.

    Django makes these rows again, with other keys; processes that live through several tests remember the keys.
    """

    def handle(self, **options: Any) -> None:
        connection = connections[options["database"]]
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        emptied = [table for table in tables if table not in KEPT]
        connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), emptied, reset_sequences=False))
