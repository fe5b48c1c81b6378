"""Routes as admins edit them: the draft, with what recognises each route and the models that answer it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import MD5
from django.utils.translation import gettext_lazy as _

from workers.models import Model, Role

route_name_validator = RegexValidator(
    r"\A[a-z][a-z0-9-]*\Z",
    "Use lower-case letters, digits and hyphens, starting with a letter; people type it as /name.",
)


class Route(models.Model):
    """A named kind of request, with what recognises it and the models that answer it."""

    name = models.CharField(max_length=40, unique=True, validators=[route_name_validator])
    title = models.CharField(max_length=60, help_text="What people see, for instance “Summary”.")
    description = models.CharField(max_length=300, help_text="One sentence: what is asked for on this route.")
    role = models.CharField(max_length=10, choices=Role.choices)
    threshold = models.FloatField(
        default=0.5,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="The classifier's score (0 to 1) below which the default route answers instead.",
    )
    prompt_template = models.TextField(
        blank=True, help_text="The system text for a generative model. Empty: the role's own template."
    )
    options = models.JSONField(
        default=dict, blank=True, help_text='Passed to the model, for instance {"temperature": 0.2}.'
    )
    labels = models.JSONField(
        default=list,
        blank=True,
        help_text="Classify: the labels when a message names none, for instance "
        '[{"name": "billing", "description": "invoices and payments", "examples": ["I was charged twice"]}].',
    )
    is_default = models.BooleanField("default route", default=False)
    is_enabled = models.BooleanField("enabled", default=True)
    position = models.PositiveSmallIntegerField(default=0)
    groups = models.ManyToManyField(
        Group, blank=True, related_name="routes", help_text="Who may use this route. None chosen: everybody."
    )
    version = models.PositiveIntegerField(default=0, editable=False)  # tells two admins who edit at once apart
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["position", "name"]
        constraints = [
            models.UniqueConstraint(name="one_default_route", fields=["is_default"], condition=Q(is_default=True)),
            models.CheckConstraint(name="default_route_is_enabled", condition=Q(is_default=False) | Q(is_enabled=True)),
            models.CheckConstraint(name="threshold_is_a_share", condition=Q(threshold__gte=0, threshold__lte=1)),
        ]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        if not isinstance(self.options, dict):
            raise ValidationError({"options": 'Options are a JSON object, for instance {"temperature": 0.2}.'})
        _check_labels(self.labels)


def _check_labels(labels: Any) -> None:
    if not isinstance(labels, list) or not all(map(_is_label, labels)):
        raise ValidationError(
            {
                "labels": 'Labels are a list such as [{"name": "billing", "description": "invoices", "examples": '
                '["I was charged twice"]}, {"name": "technical"}]: all of it texts, and only the name is needed.'
            }
        )
    names = [label["name"] for label in labels]
    if len(names) == 1 or len(set(names)) != len(names):
        raise ValidationError({"labels": "Name at least two labels, each once."})


def _is_label(label: Any) -> bool:
    if not isinstance(label, dict) or not label.get("name") or not label.keys() <= {"name", "description", "examples"}:
        return False
    examples = label.get("examples", [])
    texts = [label["name"], label.get("description", ""), *(examples if isinstance(examples, list) else [None])]
    return all(isinstance(text, str) for text in texts)


class RouteModel(models.Model):
    """A model of a route, at its place in the order of preference."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="route_models")
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="route_models")
    position = models.PositiveSmallIntegerField(default=0, help_text="Lower numbers are tried first.")

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(name="a_model_once_per_route", fields=["route", "model"])]

    def __str__(self) -> str:
        return f"{self.route.name}: {self.model}"

    def clean(self) -> None:
        if self.model_id and self.route_id and self.route.role not in self.model.roles:
            raise ValidationError({"model": f"{self.model} cannot {self.route.role}."})


class Rule(models.Model):
    """A condition that sends a message to a route, whatever the classifier says."""

    class Kind(models.TextChoices):
        PATTERN = "pattern", _("The message matches a regular expression")
        LONGER_THAN = "longer_than", _("The message has more characters than")
        ATTACHMENT = "attachment", _("The message has a file of the kind")
        SHORTER_THAN = "shorter_than", _("The message has fewer characters than")

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="rules")
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.PATTERN)
    value = models.CharField(
        max_length=500,
        help_text="A regular expression (RE2 syntax), a number, or kinds of files: text, markdown, csv, html, pdf, "
        "docx, any.",
    )
    position = models.PositiveSmallIntegerField(default=0, help_text="Lower numbers are tried first, over all routes.")

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(name="a_rule_once_per_route", fields=["route", "kind", "value"])]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.value}"

    def clean(self) -> None:
        from router.strategies.rules import InvalidRuleError, check_rule

        try:
            check_rule(self.kind, self.value)
        except InvalidRuleError as error:
            raise ValidationError({"value": str(error)}) from error


class Example(models.Model):
    """A message that belongs on a route. One that came of a correction is somebody's, and not quoted to others."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="examples")
    text = models.TextField()
    is_quoted = models.BooleanField(default=True, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                F("route"),
                MD5("text"),  # texts are longer than what PostgreSQL takes into an index
                name="an_example_once_per_route",
                violation_error_message="This route has this example already.",
            )
        ]

    def __str__(self) -> str:
        return self.text[:80]

    def clean(self) -> None:
        self.text = self.text.strip().replace("\r\n", "\n")
        other = Example.objects.filter(text=self.text).exclude(pk=self.pk).exclude(route_id=self.route_id).first()
        if other:
            raise ValidationError({"text": f"The route {other.route} has this example already; it cannot teach both."})
