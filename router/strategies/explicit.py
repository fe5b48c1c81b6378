"""The first strategy: the person said which route they want, in a field or by a command such as `/summarise`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from router.policy import Choice, Policy, Request

# A path such as /etc/hosts is no command: a name is followed by a space or by nothing.
_COMMAND = re.compile(r"\s*/([a-z][a-z0-9-]*)(?:\s+|$)", re.ASCII | re.IGNORECASE)


class UnknownRouteError(LookupError):
    """The person asked for a route that does not exist or is switched off."""

    def __init__(self, wanted: str, names: Iterable[str]) -> None:
        self.wanted = wanted
        self.names = tuple(names)
        super().__init__(f"There is no route “{wanted}”. There are: {', '.join(self.names)}.")


def command(text: str) -> str:
    """The route named by a command at the beginning of `text`, or an empty string."""
    match = _COMMAND.match(text)
    return match[1].lower() if match else ""


def message_without_command(text: str) -> str:
    """`text` as it goes into the prompt: without the command at its beginning."""
    return _COMMAND.sub("", text, count=1) if _COMMAND.match(text) else text


def choose(request: Request, policy: Policy) -> Choice | None:
    """The route that the person named, the field before the command. Raises `UnknownRouteError`."""
    wanted = request.wanted_route or command(request.text)
    if not wanted:
        return None
    try:
        route = policy.route(wanted)
    except KeyError:
        raise UnknownRouteError(wanted, (route.name for route in policy.routes)) from None
    return Choice(route.name, route.role, "explicit")
