"""The form of a route in the admin, with validation that explains itself."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldBooleanSwitchWidget

from router.drafts import MAX_EXAMPLES
from router.models import Example, Route
from workers.forms import KNOWN_OPTIONS, OptionsField

EXAMPLE_MARK = "- "


class LabelsField(forms.CharField):
    """Labels as lines: `name: description`, and below each label its example messages, each after a hyphen."""

    def __init__(self, **kwargs: Any) -> None:
        widget = UnfoldAdminTextareaWidget(
            attrs={"rows": 6, "placeholder": "billing: invoices and payments\n- I was charged twice\ntechnical: …"}
        )
        super().__init__(**{"widget": widget, "required": False, **kwargs})

    def prepare_value(self, value: Any) -> str:
        return value if isinstance(value, str) else "\n".join(map(_written, value or []))

    def to_python(self, value: Any) -> Any:
        labels: list[dict[str, Any]] = []
        for number, line in enumerate((super().to_python(value) or "").splitlines(), start=1):
            if line.strip().startswith(EXAMPLE_MARK.strip()):
                if not labels:
                    raise ValidationError(f"Line {number} is an example, but there is no label above it.")
                labels[-1].setdefault("examples", []).append(line.strip()[1:].strip())
            elif line.strip():
                labels.append(_label(line, number))
        return labels

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool((initial or []) != self.to_python(data))
        except ValidationError:
            return True


def _label(line: str, number: int) -> dict[str, Any]:
    name, _, description = (part.strip() for part in line.partition(":"))
    if not name:
        raise ValidationError(f"Line {number} has no name before the colon.")
    return {"name": name, "description": description} if description else {"name": name}


def _written(label: dict[str, Any]) -> str:
    description = label.get("description", "")
    examples = (f"{EXAMPLE_MARK}{' '.join(example.split())}" for example in label.get("examples", []))
    return "\n".join([f"{label['name']}: {description}" if description else label["name"], *examples])


class RouteForm(forms.ModelForm):
    """A route; being the default moves from one route to another, so it is not a plain field of the row."""

    labels = LabelsField(
        help_text="Classify only: one label per line as “name: description”; a description helps a lot. Lines that "
        "begin with a hyphen are example messages of the label above. Used when a message names no labels itself."
    )
    options = OptionsField(
        help_text=f"Sampling as JSON; comes before the options of the model. There are {KNOWN_OPTIONS}."
    )
    becomes_default = forms.BooleanField(
        label="Default route",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Answers whatever no other route takes. There is one at a time; this relieves the other.",
    )
    new_examples = forms.CharField(
        label="More examples",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text="Messages that belong on this route, one per line, the way people write them. Five to twenty do.",
    )
    opened_version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    overwrite = forms.BooleanField(
        label="Save mine over it",
        required=False,
        widget=forms.HiddenInput,  # shown once there is something to overwrite
        help_text="What the other person changed on this route is replaced by what stands here.",
    )
    refusal: ValidationError | None = None  # why an attempt to save this very form has been undone

    class Meta:
        model = Route
        fields = [
            "name",
            "title",
            "description",
            "role",
            "is_enabled",
            "position",
            "threshold",
            "prompt_template",
            "options",
            "labels",
            "groups",
        ]
        help_texts = {
            "name": "Whoever types /name before a message chooses this route.",
            "position": "Lower numbers come first in lists.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.version = self.instance.version  # the one in the database, read for this request
        if "opened_version" in self.fields:
            self.fields["opened_version"].initial = self.version
        if self.instance.is_default and "becomes_default" in self.fields:
            field = self.fields["becomes_default"]
            field.initial, field.disabled = True, True
            field.help_text = "This is the default route. To change that, make another route the default."

    def clean_prompt_template(self) -> str:
        """With the line ends that files have, so that a file changes nothing."""
        text: str = self.cleaned_data["prompt_template"]
        return text.replace("\r\n", "\n")

    def clean_new_examples(self) -> list[str]:
        """The lines that are not examples of this route yet."""
        lines = dict.fromkeys(filter(None, map(str.strip, self.cleaned_data["new_examples"].splitlines())))
        if len(lines) > MAX_EXAMPLES:
            raise ValidationError(f"These are {len(lines):,} examples; {MAX_EXAMPLES} are allowed, and twenty do.")
        known = {example.text: example for example in Example.objects.filter(text__in=lines).select_related("route")}
        taken = [example for example in known.values() if example.route_id != self.instance.pk]
        if taken:
            raise ValidationError(
                [f"“{other.text}” is an example of the route {other.route}; it cannot teach both." for other in taken]
            )
        return [line for line in lines if line not in known]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("becomes_default") and not data.get("is_enabled"):
            self.add_error("is_enabled", "The default route stays enabled. Make another route the default first.")
        if self.refusal:
            raise self.refusal
        opened = data.get("opened_version")
        if self.instance.pk and opened is not None and opened != self.version and not data.get("overwrite"):
            self._refuse_to_overwrite()
        return data

    def _refuse_to_overwrite(self) -> None:
        self.fields["overwrite"].widget = UnfoldBooleanSwitchWidget()
        raise ValidationError(
            f"{self.instance.changed_by or 'Somebody'} changed this route after you had opened it. Nothing was "
            "overwritten, and what you typed is still here. Open the route in another tab to see what is different; "
            "then take it over into this form and choose “Save mine over it”, or leave this page."
        )


class RowsOfARoute(PaginationInlineFormSet):
    """What belongs to a route. A row that somebody else has deleted since is a new one: saved over what they did."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if self._is_gone(form, index):
            form.fields[self.model._meta.pk.name] = forms.Field(required=False, widget=forms.HiddenInput)

    def save_new_objects(self, commit: bool = True) -> list[Any]:
        saved: list[Any] = super().save_new_objects(commit)
        gone = [form for index, form in enumerate(self.initial_forms) if self._is_gone(form, index)]
        saved += [self.save_new(form, commit=commit) for form in gone if not self._should_delete_form(form)]
        return saved

    def _is_gone(self, form: Any, index: int | None) -> bool:
        """Whether the form was shown with a row that is not there any more."""
        is_shown = index is not None and index < self.initial_form_count()
        return self.is_bound and is_shown and form.instance._state.adding


class ModelsInOrder(RowsOfARoute):
    """The models of a route: one that is added, and not given a place of its own, comes last."""

    def clean(self) -> None:
        super().clean()
        taken = {form.instance.position for form in self.initial_forms}
        for form in filter(lambda form: form.has_changed(), self.extra_forms):
            if form.instance.position in taken:
                form.instance.position = max(taken) + 1
            taken.add(form.instance.position)
            model = form.cleaned_data.get("model")
            if self.instance._state.adding and model and self.instance.role not in model.roles:
                form.add_error("model", f"{model} cannot {self.instance.role}.")


class ExamplesOnce(RowsOfARoute):
    """The examples of a route: each once, also among those that are sent together."""

    def clean(self) -> None:
        super().clean()
        seen = set()
        for form in self.forms:
            text = form.cleaned_data.get("text") if form.is_valid() and not self._should_delete_form(form) else None
            if text and text in seen:
                form.add_error("text", "This example is there twice. Take one of them out.")
            seen.add(text)
