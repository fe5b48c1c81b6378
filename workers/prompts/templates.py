"""The system message of a role: the route's template, or the one in `templates/prompts/`."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from workers.prompts.prompt import Message


def system_message(role: str, template: str = "", **values: str) -> list[Message]:
    """The filled-in template as a list of one message, or an empty list if there is nothing to say.

    `{name}` stands for the value of that name; a value that the template does not mention is added at its end.
    """
    text = template.strip() or _default(role)
    for name, value in values.items():
        placeholder = f"{{{name}}}"
        text = text.replace(placeholder, value) if placeholder in text else f"{text}\n\n{value}"
    text = text.strip()
    return [{"role": "system", "content": text}] if text else []


@cache
def _default(role: str) -> str:
    path = settings.BASE_DIR / "templates" / "prompts" / f"{role}.txt"
    return path.read_text(encoding="utf-8").strip()
