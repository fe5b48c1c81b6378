"""The second strategy: conditions that admins wrote down.

Patterns run in RE2, whose time is linear in the text whatever the pattern (Cox 2010, "Regular Expression Matching
in the Wild"), so no rule can stop the router. The admin imports this module to check what is typed.
"""

from __future__ import annotations

import re2

from router.policy import NONE, Choice, Matches, Policy, Request

# A pattern sees this much of the beginning and of the end of a message: a long paste costs no more than that.
READ_CHARACTERS = 10_000
MAX_LENGTH = 10_000_000
# Of a compiled pattern. The time is linear in the text, but for each character it may take all of them: with so many,
# 0.6 s on one core for a message that is read as far as a pattern reads; with the 32,000 that RE2 takes, 3 s.
MAX_STEPS = 5_000
FILE_KINDS = ("text", "markdown", "csv", "html", "pdf", "docx")
ANY = "any"

_OPTIONS = re2.Options()
_OPTIONS.case_sensitive = False  # people type as they like; (?-i) in a pattern asks for exact letters
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


class InvalidRuleError(ValueError):
    """A rule that cannot work. The text says why, to the admin who typed it."""


def compile_rule(kind: str, value: str) -> Matches:
    """A function that tells whether a message, with files of these kinds, meets the rule. Raises `InvalidRuleError`."""
    match kind:
        case "pattern":
            return _pattern(value)
        case "longer_than":
            length = _length(value)
            return lambda text, attached=NONE: len(text) > length
        case "shorter_than":
            length = _length(value)
            return lambda text, attached=NONE: len(text) < length
        case "attachment":
            return _attachment(value)
    raise InvalidRuleError(f"There is no kind of rule “{kind}”.")


def check_rule(kind: str, value: str) -> None:
    """Raises `InvalidRuleError` for a rule that cannot work, or that would hold up every message."""
    compile_rule(kind, value)
    if kind == "pattern" and re2.compile(value, options=_OPTIONS).programsize > MAX_STEPS:
        raise InvalidRuleError(
            "This pattern is too large: it would hold up every long message for a second or more. Use smaller numbers "
            "in its repetitions, or make two rules of it."
        )


def choose(request: Request, policy: Policy) -> Choice | None:
    """The route of the first rule that the message meets."""
    for rule in policy.rules:
        if rule.matches(request.text, request.attached):
            route = policy.route(rule.route)
            evidence = {"rule": {"kind": rule.kind, "value": rule.value}}
            return Choice(route.name, route.role, "rule", evidence=evidence)
    return None


def _attachment(value: str) -> Matches:
    wanted = frozenset(value.replace(",", " ").lower().split())
    if not wanted or not wanted <= {ANY, *FILE_KINDS}:
        raise InvalidRuleError(f"Name kinds of files: {', '.join(FILE_KINDS)}; or any.")
    return lambda text, attached=NONE: bool(attached if ANY in wanted else attached & wanted)


def _pattern(value: str) -> Matches:
    if not value:
        raise InvalidRuleError("An empty pattern would match every message.")
    try:
        compiled = re2.compile(value, options=_OPTIONS)
    except (re2.error, UnicodeEncodeError) as error:
        raise InvalidRuleError(_explain(error)) from error
    if compiled.search("") and compiled.search("Any words, 123. " * 100):
        raise InvalidRuleError("This pattern matches every message, even an empty one.")
    return lambda text, attached=NONE: compiled.search(_readable(text)) is not None


def _explain(error: Exception) -> str:
    reason = error.args[0]
    reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return f"This pattern cannot be read ({reason}). RE2 syntax has no look-around and no back-references."


def _readable(text: str) -> str:
    if len(text) > 2 * READ_CHARACTERS:
        text = f"{text[:READ_CHARACTERS]}\n{text[-READ_CHARACTERS:]}"
    return text.encode("utf-8", "replace").decode()  # lone surrogates, which JSON can carry, are no text


def _length(value: str) -> int:
    if value.isascii() and value.isdigit() and 0 < (length := int(value[:10])) <= MAX_LENGTH:
        return length
    raise InvalidRuleError(f"Give a whole number of characters between 1 and {MAX_LENGTH:,}.")
