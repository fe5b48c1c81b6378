"""Things to try in an empty chat. They work without any generative model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from workers.models import Role

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


@dataclass(frozen=True)
class Starter:
    """A card of the empty chat: what it shows, and the text that it puts into the composer."""

    name: str
    role: str
    title: StrPromise
    description: StrPromise
    text: StrPromise


STARTERS = (
    Starter(
        "summary",
        Role.SUMMARISE,
        _("Summarise a text"),
        _("An article in two sentences"),
        _(
            "Summarise this in two sentences:\n\n"
            "The first railway yards sorted wagons by hand. A shunter walked beside each wagon, uncoupled it, and "
            "waved to a colleague at the points, who threw a lever as tall as himself. A yard that handled four "
            "hundred wagons a day needed a hundred men, and most of the accidents on the line happened there. In "
            "1876 engineers in Saxony raised one end of the yard by a few metres and let gravity do the pushing. A "
            "single locomotive now moved a whole train over the hump, one wagon at a time, and each rolled down to "
            "the track it belonged to. The work of a day took an hour. What remained difficult was the decision: "
            "somebody had to know, before the wagon reached the points, where it was meant to go. Lists were "
            "shouted, then telephoned, then printed. Only in the 1950s could a machine read the list and set the "
            "points by itself, and even today a person in the tower can overrule it."
        ),
    ),
    Starter(
        "points",
        Role.SUMMARISE,
        _("Pull out the key points"),
        _("Meeting notes as a short list"),
        _(
            "Give me the key points as bullets:\n\n"
            "We met on Tuesday to talk about the move to the new office. The lease starts on the first of March, "
            "but the network will not be ready before the tenth, so everybody works from home in the first week. "
            "Amira has compared three removal firms and recommends the second one, which is not the cheapest but "
            "insures the equipment. The kitchen was discussed at length without a result. Jonas will order forty "
            "desks by Friday. There are only thirty parking spaces; Lea collects who really needs one. The old "
            "office has to be painted before we hand over the keys, and nobody has been found for that yet. The "
            "next meeting is in two weeks."
        ),
    ),
    Starter(
        "labels",
        Role.CLASSIFY,
        _("Sort a message"),
        _("Billing, technical or something else"),
        _(
            "Classify as billing, technical or other: I was charged twice in March, and the second invoice has the "
            "wrong address on it."
        ),
    ),
    Starter(
        "mood",
        Role.CLASSIFY,
        _("Read between the lines"),
        _("Praise, complaint or question"),
        _(
            "Is this praise, a complaint or a question: The parcel came four days late, and when I called nobody "
            "could tell me where it was."
        ),
    ),
)


def starter_text(name: str) -> str:
    """The text of a starter, or an empty string for a name that is none."""
    return str(next((starter.text for starter in STARTERS if starter.name == name), ""))
