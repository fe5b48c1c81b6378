"""Everything that the router keeps in the database."""

from router.models.decisions import Correction, Decision
from router.models.labelled import LabelledMessage
from router.models.revisions import AuditEntry, Classifier, Draft, Revision, RunningProcess
from router.models.rollouts import Rollout
from router.models.routes import Example, Route, RouteModel, Rule
from router.models.safeguards import Safeguards

__all__ = [
    "AuditEntry",
    "Classifier",
    "Correction",
    "Decision",
    "Draft",
    "Example",
    "LabelledMessage",
    "Revision",
    "Rollout",
    "Route",
    "RouteModel",
    "Rule",
    "RunningProcess",
    "Safeguards",
]
