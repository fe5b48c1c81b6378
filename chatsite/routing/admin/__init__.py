"""The admin's pages for changing the router with proof."""

from chatsite.routing.admin import (  # noqa: F401
    audit,
    corrections,
    labelled,
    processes,
    replays,
    revisions,
    rollouts,
    safeguards,
    trainings,
)
