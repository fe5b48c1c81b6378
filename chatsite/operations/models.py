"""The operations page has no rows of its own, but permissions, and entries in the admin's log of changes."""

from django.db import models


class Board(models.Model):
    """The operations page."""

    class Meta:
        managed = False
        default_permissions = ()
        verbose_name = verbose_name_plural = "workers and queues"
        permissions = [
            ("view_board", "Can see the operations page"),
            ("drain_worker", "Can drain workers, and let them resume"),
            ("empty_quarantine", "Can retry and discard what is in quarantine"),
        ]

    def __str__(self) -> str:
        return "Operations"
