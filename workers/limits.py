"""How much one person, and all together, may ask for at a time: by the settings, or by the groups of the person."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from workers.prepared import prepared


@dataclass(frozen=True)
class Limits:
    """What one person meets. `docs/settings.md` explains each."""

    running: int  # answers of theirs at work, in each queue
    waiting: int  # answers of theirs that wait
    waiting_in_all: int  # answers of everybody that wait, when they come
    wait_seconds: float  # what they would have to wait, when they come

    @property
    def open(self) -> int:
        """Answers of theirs that are not there yet."""
        return self.running + self.waiting


_NAMES = tuple(field.name for field in fields(Limits))


class GroupLimits(models.Model):
    """Other limits for the people of a group than those of the settings."""

    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="limits")
    running = models.PositiveIntegerField(
        "answers at work",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="How many answers of one person are worked on at a time, in each queue.",
    )
    waiting = models.PositiveIntegerField(
        "answers that wait", null=True, blank=True, help_text="How many of theirs may wait beyond those."
    )
    waiting_in_all = models.PositiveIntegerField(
        "answers of everybody",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="How many answers of everybody may wait when they send a message.",
    )
    wait_seconds = models.PositiveIntegerField(
        "longest wait",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Seconds that a message of theirs may have to wait, as far as can be foreseen when they send it.",
    )

    class Meta:
        verbose_name = "limits"
        verbose_name_plural = "limits"
        constraints = [
            models.CheckConstraint(
                name="limits_leave_something",
                condition=~Q(running=0) & ~Q(waiting_in_all=0) & ~Q(wait_seconds=0),
            )
        ]

    def __str__(self) -> str:
        return f"limits of {self.group}"


def limits_of_the_site() -> Limits:
    """The limits for those whose groups have none of their own."""
    return Limits(
        running=settings.RUNNING_PER_PERSON,
        waiting=settings.WAITING_PER_PERSON,
        waiting_in_all=settings.WAITING_IN_ALL,
        wait_seconds=settings.LONGEST_WAIT_SECONDS,
    )


def limits_of(person_id: Any) -> Limits:
    """The limits for a person: of each, the most generous of their groups; the site's where no group has one."""
    site = limits_of_the_site()
    rows = _of_their_groups(person_id)
    theirs = {name: [row[name] for row in rows if row[name] is not None] for name in _NAMES}
    return replace(site, **{name: max(values) for name, values in theirs.items() if values})


@prepared
def _of_their_groups(person_id: Any) -> models.QuerySet[GroupLimits, dict[str, Any]]:
    return GroupLimits.objects.filter(group__user=person_id).values(*_NAMES)
