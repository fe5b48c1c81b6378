"""What a person asks for by name is what they get."""

import pytest

from router.decision import UnknownRouteError, decide, message_without_command
from router.policy import Request
from router.strategies.explicit import command
from tests.router.conftest import MakePolicy, embed, route, rule


def test_a_command_at_the_beginning_names_the_route(policy: MakePolicy) -> None:
    choice = decide(Request("/summarise hello there"), policy(), embed)
    assert (choice.route, choice.role, choice.strategy) == ("summarise", "summarise", "explicit")


def test_the_field_goes_before_the_command(policy: MakePolicy) -> None:
    assert decide(Request("/summarise it", wanted_route="classify"), policy(), embed).route == "classify"


def test_a_choice_goes_before_every_rule(policy: MakePolicy) -> None:
    routes = (route("summarise"), route("generate", rules=[rule("poem")]))
    assert decide(Request("/summarise my poem"), policy(*routes), embed).route == "summarise"


@pytest.mark.parametrize("request_", [Request("/legal is this valid?"), Request("is it?", wanted_route="legal")])
def test_an_unknown_route_is_refused_with_the_names_that_exist(policy: MakePolicy, request_: Request) -> None:
    with pytest.raises(UnknownRouteError, match="summarise, classify, generate") as refusal:
        decide(request_, policy(), embed)
    assert refusal.value.wanted == "legal"
    assert refusal.value.names == ("summarise", "classify", "generate")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/classify spam or ham", "classify"),
        ("  /Summarise\nthe text", "summarise"),
        ("/summarise", "summarise"),
        ("/my-route2 x", "my-route2"),
        ("/etc/hosts is empty", ""),
        ("/ summarise", ""),
        ("//summarise", ""),
        ("use /summarise for that", ""),
        ("/summarise, please", ""),
        ("/классификация x", ""),
        ("/2 is a half", ""),
        ("", ""),
    ],
)
def test_only_a_bare_name_at_the_very_beginning_is_a_command(text: str, name: str) -> None:
    assert command(text) == name


def test_the_command_is_no_part_of_the_prompt() -> None:
    assert message_without_command("/summarise  the /classify text\n") == "the /classify text\n"
    assert message_without_command("/summarise") == ""
    assert message_without_command("/etc/hosts is empty") == "/etc/hosts is empty"
