"""What people see of the rows of a conversation."""

from decimal import Decimal
from typing import Any

import pytest
import redis
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from chatsite.chat import presenting, progress
from chatsite.chat.presenting import Entry, Why, entries
from chatsite.documents import attachments
from tests.pages import rows
from workers.presence import Process

CLASSIFIED = {
    "route": "summarise",
    "role": "summarise",
    "score": 0.94,
    "threshold": 0.6,
    "scores": {"generate": 0.04, "summarise": 0.94, "classify": 0.02},
    "evidence": {
        "examples": [{"text": "tl;dr", "route": "summarise", "similarity": 0.834}],
        "words": [{"text": "in two sentences", "weight": 1.2}],
        "runner_up": "generate",
        "margin": 0.9,
    },
}


@pytest.fixture
def _every_queue_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "processes", lambda: [Process("here", ["route", "remote"])])


def answer_of(turn: Any) -> Entry:
    return entries(turn.conversation)[-1]


def why(turn: Any) -> Why:
    shown = answer_of(turn).why
    assert shown
    return shown


def test_a_message_is_shown_as_it_was_typed(alice: Any) -> None:
    message, answer = entries(rows.turn(alice, "**no** <b>markup</b>", "*some*").conversation)
    assert (message.role, message.text, message.html) == ("user", "**no** <b>markup</b>", "")
    assert (answer.role, answer.html) == ("assistant", "<p><em>some</em></p>\n")


def test_a_long_message_is_folded_without_losing_a_character(alice: Any) -> None:
    text = "word " * 2000
    shown = entries(rows.turn(alice, text).conversation)[0]
    assert shown.text + shown.rest == text
    assert len(shown.text) <= presenting.PREVIEW_CHARACTERS


@pytest.mark.parametrize("text", ["x" * 5000, "x" * 700 + " " + "y" * 5000, "\n" * 5000])
def test_a_long_message_of_any_shape_is_folded(alice: Any, text: str) -> None:
    shown = entries(rows.turn(alice, text).conversation)[0]
    assert shown.text + shown.rest == text
    assert shown.text


def test_without_a_choice_the_newest_branch_is_shown(alice: Any) -> None:
    first = rows.turn(alice, "Question", "First answer")
    rows.turn(alice, "More", "To the first", conversation=first.conversation, parent=first.reply)
    rows.reply(first.message, "Second answer")
    assert [entry.text for entry in entries(first.conversation)] == ["Question", "Second answer"]


def test_the_number_of_queries_does_not_grow(alice: Any, django_assert_num_queries: Any) -> None:
    turn = rows.turn(alice)
    conversation = turn.conversation
    for _ in range(10):
        turn = rows.turn(alice, conversation=conversation, parent=turn.reply, decided=CLASSIFIED)
    entries(conversation)  # reads what the revisions say, and who the person is
    with django_assert_num_queries(7):
        assert len(entries(conversation)) == 22


def test_what_is_fetched_for_a_reply_is_all_that_it_shows(alice: Any, django_assert_num_queries: Any) -> None:
    turn = rows.turn(alice, decided=CLASSIFIED, model=rows.model("tokens3"))
    html = presenting.render_reply(turn)
    [fetched] = presenting.shown_turns(turn.pk)
    with django_assert_num_queries(6):  # its alternatives, the rating, groups, models, and which revisions run (two)
        assert presenting.render_reply(fetched) == html


@pytest.mark.parametrize(("role", "can_continue"), [("generate", True), ("summarise", False)])
def test_an_answer_that_was_cut_short_says_so(alice: Any, role: str, can_continue: bool) -> None:
    turn = rows.turn(alice, decided={"role": role}, was_cut_short=True)
    html = presenting.render_reply(turn)
    assert "The model has reached its limit of length here." in html
    assert (reverse("reply-continue", args=[turn.pk]) in html) == can_continue


def test_the_badge_names_the_route_and_the_model_that_answered(alice: Any) -> None:
    entry = answer_of(rows.turn(alice, decided=CLASSIFIED, answered_by=rows.model("Large model")))
    assert (entry.route, entry.route_role, entry.model) == ("Summary", "summarise", "Large model")


def test_the_model_that_was_asked_is_named_until_one_has_answered(alice: Any) -> None:
    assert answer_of(rows.turn(alice, status="running")).model == "Small model"


def test_a_route_that_its_revision_does_not_know_keeps_its_name(alice: Any) -> None:
    assert answer_of(rows.turn(alice, decided={"route": "poems"})).route == "poems"


@pytest.mark.parametrize(
    ("status", "attempt", "state"),
    [("queued", 1, "waiting"), ("running", 1, "writing"), ("running", 2, "retrying"), ("done", 1, "")],
)
@pytest.mark.usefixtures("_every_queue_is_served")
def test_the_state_follows_the_completion(alice: Any, status: str, attempt: int, state: str) -> None:
    assert answer_of(rows.turn(alice, status=status, attempt=attempt)).state == state


@pytest.mark.usefixtures("_every_queue_is_served")
def test_before_the_decision_the_route_is_being_chosen(alice: Any) -> None:
    entry = answer_of(rows.undecided(alice))
    assert (entry.state, entry.is_open, entry.why) == ("routing", True, None)


def test_while_no_worker_is_there_the_state_says_so(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "processes", lambda: [Process("here", ["embedded"])])
    assert answer_of(rows.turn(alice, status="queued")).state == "unserved"
    assert answer_of(rows.turn(alice, status="queued", attempt=2)).state == "unserved"
    assert answer_of(rows.turn(alice, status="running")).state == "writing"
    assert answer_of(rows.undecided(alice)).state == "unrouted"


def test_a_message_whose_files_nobody_reads_says_so(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = rows.undecided(alice)
    file = attachments.add(alice, SimpleUploadedFile("a.txt", b"Some words."))
    attachments.attach(alice, [file.pk], turn.message)
    monkeypatch.setattr(progress, "processes", lambda: [Process("here", ["route"])])
    assert answer_of(turn).state == "unread"
    monkeypatch.setattr(progress, "processes", lambda: [Process("here", ["route", "files"])])
    assert answer_of(turn).state == "routing"


def test_while_redis_is_away_nobody_is_said_to_be_missing(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[Process]:
        raise redis.ConnectionError

    monkeypatch.setattr(progress, "processes", fail)
    assert answer_of(rows.turn(alice, status="queued")).state == "waiting"


def test_text_that_is_still_written_is_left_to_the_stream(alice: Any) -> None:
    assert answer_of(rows.turn(alice, answer="half", status="running")).html == ""


def test_a_failed_answer_keeps_its_text_and_says_what_to_do(alice: Any) -> None:
    entry = answer_of(rows.turn(alice, answer="Half of", status="failed", error_code="stream_cut"))
    assert entry.trouble
    assert (entry.trouble.title, entry.can_retry) == ("The answer was cut off", True)
    assert "Half of" in entry.html


def test_details_for_admins_are_not_shown(alice: Any) -> None:
    turn = rows.turn(alice, status="failed", error_code="provider_refused", error_detail="key sk-secret was refused")
    assert "sk-secret" not in presenting.render_reply(turn)


@pytest.mark.parametrize("code", ["context_too_long", "one_label", "nothing_to_summarise"])
def test_what_would_fail_again_is_not_offered_again(alice: Any, code: str) -> None:
    turn = rows.turn(alice, answer="", status="failed", error_code=code)
    assert not answer_of(turn).can_retry
    assert "reply-again" not in presenting.render_reply(turn)


def test_without_a_generative_model_the_owner_gets_the_link_to_connect_one(alice: Any, admin: Any) -> None:
    def trouble(user: Any) -> Any:
        return answer_of(rows.undecided(user, "failed", decided={}, error_code="no_model")).trouble

    assert trouble(alice).title == "No generative model is connected"
    assert (trouble(alice).link, trouble(admin).link) == ("", reverse("admin:workers_provider_add"))


def test_a_route_of_another_role_without_a_model_has_words_of_its_own(alice: Any) -> None:
    turn = rows.undecided(alice, "failed", decided=CLASSIFIED, error_code="no_model")
    trouble = answer_of(turn).trouble
    assert trouble
    assert trouble.title != "No generative model is connected"
    assert "generative" not in presenting.render_reply(turn)


def test_a_stopped_answer_can_be_asked_for_again(alice: Any) -> None:
    entry = answer_of(rows.turn(alice, answer="Half", status="cancelled"))
    assert (entry.trouble, entry.can_retry) == (None, True)


# --- Why? ---------------------------------------------------------------------------------------------------


def test_why_shows_what_the_classifier_rested_on(alice: Any) -> None:
    shown = why(rows.turn(alice, decided=CLASSIFIED))
    assert shown.strategy == "It reads like Summary: 94 % certain (60 % is enough)."
    assert [(score.title, score.text, score.is_chosen) for score in shown.scores] == [
        ("Summary", "94 %", True),
        ("Chat", "4 %", False),
        ("Classification", "2 %", False),
    ]
    assert (shown.threshold, shown.runner_up, shown.words) == (60, "Chat", ["in two sentences"])
    assert [(near.text, near.route, near.percent) for near in shown.neighbours] == [("tl;dr", "Summary", 83)]


@pytest.mark.parametrize(
    ("decided", "words"),
    [
        ({"strategy": "explicit"}, "You chose Chat."),
        (
            {"strategy": "rule", "evidence": {"rule": {"kind": "pattern", "value": "^hi"}}},
            "A rule sent it to Chat: the message matches a regular expression ^hi.",
        ),
        (
            {"strategy": "default", "scores": {"summarise": 0.41, "generate": 0.3}},
            "No route was certain enough (the best, Summary, reached 41 %), so Chat answers by default.",
        ),
        ({"strategy": "default"}, "Nothing pointed to another route, so Chat answers by default."),
    ],
)
def test_why_says_in_words_who_decided(alice: Any, decided: dict[str, Any], words: str) -> None:
    assert why(rows.turn(alice, decided=decided)).strategy == words


@pytest.mark.parametrize(("score", "words"), [(0, "0 %"), (0.004, "< 1 %"), (0.996, "> 99 %"), (1, "100 %")])
def test_why_does_not_round_up_to_certainty(alice: Any, score: float, words: str) -> None:
    assert why(rows.turn(alice, decided={"scores": {"generate": score}})).scores[0].text == words


def test_why_counts_times_from_the_moment_of_sending(alice: Any) -> None:
    turn = rows.turn(alice, prompt_tokens=12, completion_tokens=34, cost=Decimal("0.000120"), attempt=2)
    assert dict(why(turn).facts) == {
        "Router revision": "7",
        "Decided in": "3.2 ms",
        "Waited": "20 ms",
        "First words after": "340 ms",
        "Finished after": "2.5 s",
        "Tokens": "12 read + 34 written",
        "Cost": "0.00012",
        "Attempts": "2",
    }


def test_why_leaves_out_what_is_not_known(alice: Any) -> None:
    assert [label for label, _ in why(rows.turn(alice, status="queued")).facts] == ["Router revision", "Decided in"]


def test_why_bears_with_evidence_that_is_not_there(alice: Any) -> None:
    for strategy in ("explicit", "rule", "classifier", "default"):
        shown = why(rows.turn(alice, decided={"strategy": strategy, "evidence": {"examples": [{}], "words": [{}]}}))
        assert shown.strategy


# --- HTML ---------------------------------------------------------------------------------------------------


def test_live_history_and_the_finished_frame_are_one_partial(client: Any, alice: Any) -> None:
    turn = rows.turn(alice, decided=CLASSIFIED)
    client.force_login(alice)
    page = client.get(reverse("conversation", args=[turn.conversation_id])).content.decode()
    assert presenting.render_turn(turn) in page
    assert presenting.render_turn(turn).endswith(presenting.render_reply(turn))
    assert presenting.render_decision(turn) in presenting.render_reply(turn)


ATTACK = '"><img src=x onerror=alert(1)><script>alert(1)</script>'


def test_no_name_or_text_becomes_markup(alice: Any) -> None:
    evidence = {
        "examples": [{"text": ATTACK, "route": ATTACK, "similarity": 1}],
        "words": [ATTACK],
        "runner_up": ATTACK,
        "rule": {"kind": ATTACK, "value": ATTACK},
    }
    decided = {"route": "r", "strategy": "rule", "scores": {ATTACK: 1}, "evidence": evidence}
    html = presenting.render_turn(rows.turn(alice, ATTACK, ATTACK, decided=decided, model=rows.model(ATTACK)))
    assert "<img" not in html
    assert "<script" not in html
    assert html.count("&lt;img") >= 8


def test_the_decision_is_empty_before_there_is_one(alice: Any) -> None:
    assert presenting.render_decision(rows.undecided(alice)).strip() == ""
