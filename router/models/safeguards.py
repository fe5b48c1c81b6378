"""How careful changes of the router are: the margins that admins set. One row."""

from __future__ import annotations

from typing import Any, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

_POINTS = [MinValueValidator(0), MaxValueValidator(100)]


class Safeguards(models.Model):
    """Margins and caps. Percentage points are those of a share in per cent."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    gate_margin = models.FloatField(
        default=1.0,
        validators=_POINTS,
        help_text="By how many percentage points a draft may be worse than the live revision on the labelled set.",
    )
    corrections_per_day = models.PositiveSmallIntegerField(
        default=20, help_text="How many corrections one person may file within 24 hours."
    )
    canary_error_margin = models.FloatField(
        default=5.0,
        validators=_POINTS,
        help_text="By how many percentage points a canary's answers may fail more often than the live revision's.",
    )
    canary_wrong_route_margin = models.FloatField(
        default=5.0,
        validators=_POINTS,
        help_text="By how many percentage points people may call a canary's routes wrong more often.",
    )
    canary_latency_ratio = models.FloatField(
        default=1.5,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="How many times as long as the live revision's a canary's answers may take to begin.",
    )

    class Meta:
        verbose_name_plural = "safeguards"
        constraints = [
            models.CheckConstraint(name="one_row_of_safeguards", condition=Q(id=1)),
            models.CheckConstraint(name="gate_margin_is_a_percentage", condition=Q(gate_margin__range=(0, 100))),
        ]

    def __str__(self) -> str:
        return "Safeguards"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.pk = 1
        super().save(*args, **kwargs)

    @classmethod
    def current(cls) -> Self:
        """The row, made with its defaults if there is none yet."""
        return cls.objects.get_or_create(pk=1)[0]
