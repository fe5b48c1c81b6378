"""The forms of providers and models in the admin, with validation that explains itself."""

from __future__ import annotations

import json
import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from workers.backends.base import Run
from workers.backends.sampling import sampling
from workers.errors import ProviderRefusedError
from workers.models import Model, Provider

KNOWN_OPTIONS = "temperature, top_p, max_tokens, stop, seed, frequency_penalty and presence_penalty"
MAX_OPTIONS_CHARACTERS = 10_000
# In JSON that has been read and written again: half of a pair, or NUL, which no database or file could keep.
_NO_TEXT = re.compile(r"[\ud800-\udfff]|(?<!\\)(?:\\\\)*\\u0000")
_NOT_IN_A_KEY = re.compile(r"[^!-~]")  # anything but visible ASCII: an HTTP header cannot carry it safely


class GroupBoxes:
    """For an admin whose rows can be for groups: boxes to tick, because there are few groups."""

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        widget = UnfoldAdminCheckboxSelectMultipleWidget()
        return super().formfield_for_manytomany(db_field, request, widget=widget, **kwargs)  # type: ignore[misc]


def check_options(value: Any) -> None:
    """Raises `ValidationError` for sampling options that the backends would refuse, or do not know."""
    if not isinstance(value, dict):
        raise ValidationError('Options are a JSON object, for instance {"temperature": 0.7}.')
    try:
        taken = sampling(Run(role="", prompt=[], options=value, max_output_tokens=2**62))
    except ProviderRefusedError as error:
        raise ValidationError(str(error)) from error
    if unknown := sorted(name for name in value if name not in taken):
        raise ValidationError(f"There is no option {', '.join(unknown)}. There are {KNOWN_OPTIONS}.")


class OptionsField(forms.CharField):
    """Sampling options as JSON, checked as the backends will check them."""

    default_error_messages = {
        "invalid": 'This is not JSON. Write it like {"temperature": 0.7, "max_tokens": 500}.',
        "no_text": "There are characters in it that are no text (NUL, or half of a pair). Take them out.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3}), "required": False, **kwargs})

    def prepare_value(self, value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if value else ""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        try:
            if len(text) > MAX_OPTIONS_CHARACTERS:
                raise ValueError
            value = json.loads(text) if text else {}
            written = json.dumps(value, ensure_ascii=False)
        except (ValueError, RecursionError):
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None
        if _NO_TEXT.search(written):
            raise ValidationError(self.error_messages["no_text"], code="no_text")
        return value

    def validate(self, value: Any) -> None:
        check_options(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool((initial or {}) != self.to_python(data))
        except ValidationError:
            return True


class ProviderForm(forms.ModelForm):
    """A provider with its key, which can be written and removed but never read."""

    key = forms.CharField(
        label="Key",
        required=False,
        strip=False,
        max_length=500,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    forget_key = forms.BooleanField(label="Remove the stored key", required=False, widget=UnfoldBooleanSwitchWidget)

    class Meta:
        model = Provider
        fields = ["name", "kind", "base_url", "is_enabled"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_key = bool(self.instance.encrypted_key)
        self._former_url = self.instance.base_url
        if "key" not in self.fields:  # somebody who may only look
            return
        if self._has_key:
            self.fields["key"].help_text = "A key is stored. Leave this empty to keep it, or enter another one."
        else:
            self.fields["key"].help_text = "Sent with every request. Leave this empty if the server asks for none."
            del self.fields["forget_key"]

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if _NOT_IN_A_KEY.search(key):
            raise ValidationError(
                "A key has no spaces, line breaks or special characters. Copy it again, without what is around it."
            )
        return key

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        key, forget = data.get("key"), data.get("forget_key")
        if key and forget:
            self.add_error("forget_key", "Either enter a new key or remove the stored one.")
        has_moved = "base_url" in data and data["base_url"] != self._former_url
        # Otherwise whoever may edit an address could have the key sent to a server of their own.
        if self._has_key and has_moved and "key" in data and not key and not forget:
            text = "The address has changed, and the stored key is not sent there. Enter the key again, or remove it."
            self.add_error("key", text)
        return data

    def save(self, commit: bool = True) -> Any:
        if self.cleaned_data.get("key") or self.cleaned_data.get("forget_key"):
            self.instance.api_key = self.cleaned_data.get("key", "")
        return super().save(commit)


class ModelForm(forms.ModelForm):
    """A model with its options."""

    options = OptionsField(help_text=f"Sampling as JSON. There are {KNOWN_OPTIONS}. A route's own options come first.")

    class Meta:
        model = Model
        fields = [
            "provider",
            "name",
            "identifier",
            "revision",
            "context_window",
            "max_output_tokens",
            "options",
            "worker_group",
            "is_warm",
            "licence",
            "prompt_price",
            "completion_price",
            "is_enabled",
        ]
