"""Whether a page offers to share."""

from django import template

from chatsite.sharing import shares

register = template.Library()


@register.simple_tag
def sharing_is_on() -> bool:
    """Whether people can share conversations here."""
    return shares.are_on()
