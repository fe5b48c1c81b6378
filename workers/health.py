"""How models did lately, for the lists of the admin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg, Count, F, Max, Q
from django.utils import timezone

from workers.jobs import Job
from workers.models import Completion

SPAN = timedelta(days=1)
FAILING_FROM = 0.2  # the share of failures from which a model is said to be failing
_FAILED = Q(status__in=[Job.Status.FAILED, Job.Status.QUARANTINED])


@dataclass(frozen=True)
class Health:
    """What a model was asked for within a day, and what came of it."""

    answers: int = 0  # that it wrote, also where another one had been asked first
    passed_over: int = 0  # that another model wrote, since this one could not
    failures: int = 0  # that ended with an error
    first_token: timedelta | None = None  # mean, from the start of the run
    last_error: str = ""  # a code of `workers.errors`

    @property
    def in_a_word(self) -> str:
        """idle, well, shaky or failing."""
        troubles = self.passed_over + self.failures
        if not self.answers and not troubles:
            return "idle"
        if not troubles:
            return "well"
        return "failing" if troubles >= FAILING_FROM * (troubles + self.answers) else "shaky"


def by_model() -> Mapping[int, Health]:
    """The health of each model that was asked within a day, by its number, in three queries."""
    ended = Completion.objects.filter(finished_at__gt=timezone.now() - SPAN).order_by()
    answered = ended.filter(status=Job.Status.DONE).values("answered_by")
    answers = {
        row["answered_by"]: row
        for row in answered.annotate(count=Count("pk"), first_token=Avg(F("first_token_at") - F("started_at")))
    }
    passed = Count("pk", filter=Q(status=Job.Status.DONE) & ~Q(answered_by=F("model")))
    asked = ended.values("model").annotate(
        passed=passed, failures=Count("pk", filter=_FAILED), last=Max("finished_at", filter=_FAILED)
    )
    troubles = {row["model"]: row for row in asked}
    errors = _last_errors([row["last"] for row in troubles.values() if row["last"]])
    return {
        model: Health(
            answers=answers[model]["count"] if model in answers else 0,
            passed_over=troubles[model]["passed"] if model in troubles else 0,
            failures=troubles[model]["failures"] if model in troubles else 0,
            first_token=answers[model]["first_token"] if model in answers else None,
            last_error=errors.get(model, ""),
        )
        for model in answers.keys() | troubles.keys()
        if model is not None
    }


def _last_errors(times: list[datetime]) -> dict[int | None, str]:
    failed = Completion.objects.filter(_FAILED, finished_at__in=times).order_by("finished_at")
    return dict(failed.values_list("model", "error_code"))
