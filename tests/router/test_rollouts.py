"""A revision is tried out beside the live one: who starts and ends it, and what the audit log says of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError

from router import drafts, policies, reviews, revisions, rollouts
from router.drafts import InvalidPolicyError
from router.models import AuditEntry, Revision, Rollout, Route
from router.revisions import DraftChangedError, live_revision, make_revision, publish, roll_back
from router.rollouts import RolloutError
from tests.router.conftest import embed

CANARY, SHADOW = Rollout.Kind.CANARY, Rollout.Kind.SHADOW


@pytest.fixture(autouse=True)
def _a_process_that_has_decided_nothing_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "_policies", policies._Policies())


@pytest.fixture
def canary(defaults: None, admin: Any) -> Rollout:
    """A canary of a changed draft."""
    Route.objects.filter(name="summarise").update(threshold=0.9)
    return rollouts.start_draft(CANARY, 30, admin, "careful summaries")


def last_entry() -> AuditEntry:
    return AuditEntry.objects.latest("id")


def test_a_canary_of_the_draft_is_a_revision_that_is_not_live(canary: Rollout, admin: Any) -> None:
    live = live_revision()
    assert live is not None
    assert (canary.revision.is_live, canary.revision.note) == (False, "careful summaries")
    assert canary.revision.number > live.number
    assert (last_entry().action, last_entry().actor, last_entry().detail["share"]) == ("rollout_start", admin, 30)
    assert "30 % of the conversations" in last_entry().text


def test_one_of_each_kind_runs(canary: Rollout, admin: Any) -> None:
    shadow = rollouts.start(SHADOW, canary.revision, 100, admin)
    revisions = Revision.objects.count()
    with pytest.raises(RolloutError, match=f"Revision {canary.revision_id} as canary runs already"):
        rollouts.start_draft(CANARY, 10, admin)
    assert Revision.objects.count() == revisions
    with pytest.raises(IntegrityError):
        Rollout.objects.create(kind=SHADOW, revision=shadow.revision)


def test_who_promotes_goes_back_or_reviews_waits_for_whoever_changes_the_draft(
    canary: Rollout, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL lets two transactions run at once: what was looked at before the lock is perhaps not so any more."""

    def wait() -> None:
        raise TimeoutError

    monkeypatch.setattr(drafts, "lock", wait)
    monkeypatch.setattr(revisions, "draft_is_published", lambda: pytest.fail("It looked at the draft first."))
    acts: list[Callable[[], Any]] = [
        lambda: rollouts.promote(canary, admin, {}),
        lambda: roll_back(admin, Revision.objects.get(is_live=True)),
        lambda: reviews.accept([], admin),
    ]
    for act in acts:
        with pytest.raises(TimeoutError):
            act()


def test_what_is_live_is_not_tried_out(defaults: None, admin: Any) -> None:
    live = live_revision()
    assert live is not None
    with pytest.raises(RolloutError, match="is live already"):
        rollouts.start(CANARY, live, 10, admin)


def test_what_has_not_passed_the_gate_stays_an_experiment(defaults: None, admin: Any) -> None:
    with pytest.raises(RolloutError, match="at most 50 % of the conversations"):
        rollouts.start_draft(CANARY, 51, admin)
    assert not Rollout.objects.exists()
    proven = make_revision(admin, evaluation={"passes": True})
    assert rollouts.start(CANARY, proven, 100, admin).share == 100


@pytest.mark.parametrize("share", [0, 101])
def test_the_share_is_a_percentage(defaults: None, admin: Any, share: int) -> None:
    with pytest.raises(RolloutError, match="from 1 to 100"):
        rollouts.start_draft(CANARY, share, admin)


def test_a_draft_that_could_not_be_published_is_not_tried_out(defaults: None, admin: Any) -> None:
    Route.objects.update(is_default=False)
    with pytest.raises(InvalidPolicyError, match="No route is the default"):
        rollouts.start_draft(CANARY, 10, admin)


def test_a_draft_that_somebody_changed_meanwhile_is_not_tried_out(defaults: None, admin: Any) -> None:
    with pytest.raises(DraftChangedError):
        rollouts.start_draft(CANARY, 10, admin, expected="another")
    assert not Rollout.objects.exists()


def test_stopping_ends_it_once(canary: Rollout, admin: Any) -> None:
    rollouts.stop(canary, admin)
    assert (canary.outcome, canary.ended_at is None) == ("stopped", False)
    assert (last_entry().action, last_entry().detail["outcome"]) == ("rollout_end", "stopped")
    with pytest.raises(RolloutError, match="ended in the meantime"):
        rollouts.stop(canary, admin)
    assert AuditEntry.objects.filter(action="rollout_end").count() == 1


def test_promoting_makes_it_live(canary: Rollout, admin: Any) -> None:
    rollouts.promote(canary, admin, {"passes": True})
    canary.refresh_from_db()
    live = live_revision()
    assert live == canary.revision
    assert (canary.outcome, canary.reason) == ("promoted", f"{live} is live.")
    assert live.evaluation == {"passes": True}
    assert list(AuditEntry.objects.values_list("action", flat=True)[:2]) == ["publish", "rollout_end"]


def test_what_was_rolled_back_meanwhile_is_not_promoted(canary: Rollout, admin: Any) -> None:
    before = live_revision()
    Rollout.objects.get().end(Rollout.Outcome.ROLLED_BACK, None, "It was worse.")
    with pytest.raises(RolloutError, match="ended in the meantime"):
        rollouts.promote(canary, admin, {})
    assert live_revision() == before


@pytest.mark.parametrize("change", ["publish", "roll back"])
def test_another_live_revision_ends_a_canary_and_not_a_shadow(canary: Rollout, admin: Any, change: str) -> None:
    shadow = rollouts.start(SHADOW, make_revision(admin), 100, admin)
    live = live_revision()
    assert live is not None
    live = publish(admin) if change == "publish" else roll_back(admin, live)
    canary.refresh_from_db()
    shadow.refresh_from_db()
    assert (canary.outcome, shadow.outcome) == ("stopped", "running")
    assert f"{live} went live" in canary.reason
    assert AuditEntry.objects.filter(action="rollout_end", actor=admin).count() == 1


def test_a_process_gives_the_canary_to_its_share_of_the_conversations(canary: Rollout) -> None:
    deployed = policies.deployment(embed)
    conversations = [uuid.uuid4() for _ in range(1000)]
    taken = [one for one in conversations if deployed.policy_for(one).revision == canary.revision_id]
    assert taken == [one for one in conversations if canary.takes(one)]
    assert 230 <= len(taken) <= 370  # 30 % of 1000, five standard deviations either way


def test_a_canary_that_ended_gets_nothing_any_more(canary: Rollout, admin: Any) -> None:
    assert policies.deployment(embed).canary is not None
    rollouts.stop(canary, admin)
    assert policies.deployment(embed).canary is None


def test_a_canary_that_cannot_be_compiled_leaves_everybody_to_the_live_revision(canary: Rollout) -> None:
    broken = {**canary.revision.snapshot["routes"][0], "rules": [{"kind": "pattern", "value": "(", "position": 0}]}
    Revision.objects.filter(pk=canary.revision_id).update(snapshot={"routes": [broken]})
    deployed = policies.deployment(embed)
    live = live_revision()
    assert live is not None
    assert {deployed.policy_for(uuid.uuid4()).revision for _ in range(50)} == {live.number}
