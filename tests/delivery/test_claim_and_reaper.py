"""Claims are fenced by attempt; the reaper gives back what was lost and nothing else."""

import socket
import threading
import time
import uuid
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from redis.client import Pipeline

from faults.proxy import Proxy
from tests.processes import pretended_worker, wait_until
from workers import attempts, broker, draining, leases, presence, reaper
from workers.code import own_code
from workers.connections import client, hasty_client, stream_key, wish_key
from workers.handover import hand_over
from workers.leases import Lease, lease_key
from workers.models import HIGHEST_COST, Completion, Model, Provider
from workers.reaper import Reaper

pytestmark = pytest.mark.django_db


@pytest.fixture
def completion() -> Completion:
    provider = Provider.objects.create(name="p", kind="embedded")
    model = Model.objects.create(provider=provider, name="m", identifier="minilm-extractive")
    return Completion.objects.create(reply_id=uuid.uuid4(), role="summarise", model=model, prompt=[])


def queued(completion: Completion) -> list[tuple[str, int]]:
    return sorted(broker.RedisQueues().jobs({completion.queue}))


def scan_until(reaper_: Reaper, condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the reaper did not act"
        reaper_.scan()
        time.sleep(0.05)


def test_one_of_two_claims_wins(completion: Completion) -> None:
    assert Completion.claim(completion.pk, 1) is not None
    assert Completion.claim(completion.pk, 1) is None
    assert Completion.claim(completion.pk, 2) is None


def test_who_is_frozen_in_a_claim_does_not_take_the_next_attempt_for_its_own(completion: Completion) -> None:
    def freeze(execute: Any, sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        overtaken = Completion.objects.filter(attempt=1, status="running").first() if "UPDATE" in sql else None
        if overtaken and overtaken.retry(has_died=True):
            Completion.claim(completion.pk, 2)
        return result

    with connection.execute_wrapper(freeze):
        assert Completion.claim(completion.pk, 1) is None
    completion.refresh_from_db()
    assert (completion.status, completion.attempt) == ("running", 2)


def test_a_late_result_of_an_old_attempt_is_dropped(completion: Completion) -> None:
    old = Completion.claim(completion.pk, 1)
    assert old is not None
    fresh = Completion.objects.get(pk=completion.pk)
    assert fresh.retry()
    assert not old.close("done", text="from the dead")
    completion.refresh_from_db()
    assert (completion.status, completion.attempt, completion.text) == ("queued", 2, "")


def test_a_task_for_a_row_that_is_not_waiting_is_dropped(completion: Completion) -> None:
    with attempts.claimed(Completion, str(completion.pk), 7) as held:
        assert held is None


def test_a_queued_row_that_is_in_no_queue_is_published_once(completion: Completion) -> None:
    subject = Reaper()
    scan_until(subject, lambda: queued(completion))
    for _ in range(3):
        subject.scan()
    assert queued(completion) == [(str(completion.pk), 1)]


def test_a_row_that_merely_waits_is_left_alone(completion: Completion) -> None:
    completion.publish()
    subject = Reaper()
    subject.scan()
    subject._first_seen = {key: since - 60 for key, since in subject._first_seen.items()}
    subject.scan()
    assert queued(completion) == [(str(completion.pk), 1)]


def test_a_row_that_a_worker_is_about_to_claim_is_not_published_again(completion: Completion) -> None:
    with Lease(Completion, completion.pk, 1):
        subject = Reaper()
        subject.scan()
        subject._first_seen = {key: since - 60 for key, since in subject._first_seen.items()}
        subject.scan()
        assert not queued(completion)


def test_a_row_that_cannot_be_dealt_with_is_passed_over_and_named_once(
    completion: Completion, monkeypatch: Any, caplog: Any
) -> None:
    bad = Completion.objects.create(reply_id=uuid.uuid4(), role="summarise", model=completion.model, prompt=[])
    for one in (bad, completion):
        Completion.claim(one.pk, 1)
    retry = Completion.retry

    def retry_unless_bad(job: Completion, *args: Any, **facts: Any) -> bool:
        if job.pk == bad.pk:
            raise ValueError("from a newer version")
        return retry(job, *args, **facts)

    monkeypatch.setattr(Completion, "retry", retry_unless_bad)
    subject = Reaper()
    subject._notice_restart()
    subject._patient_until = 0
    for _ in range(4):
        subject.scan()
    completion.refresh_from_db()
    assert completion.attempt == 2
    assert [str(bad.pk) in record.message for record in caplog.records if "passed over" in record.message] == [True]


def test_a_row_that_cannot_be_loaded_does_not_keep_others_from_being_published(
    completion: Completion, monkeypatch: Any, caplog: Any
) -> None:
    bad = Completion.objects.create(reply_id=uuid.uuid4(), role="summarise", model=completion.model, prompt=[])
    load = Completion.from_db

    def load_unless_bad(database: Any, names: Any, values: Any) -> Completion:
        row = load(database, names, values)
        if row.pk == bad.pk:
            raise ValueError("from a newer version")
        return row

    monkeypatch.setattr(Completion, "from_db", load_unless_bad)
    subject = Reaper()
    subject.scan()
    subject._first_seen = {key: since - 60 for key, since in subject._first_seen.items()}
    subject._next_look = 0
    for _ in range(2):
        subject.scan()
        subject._next_look = 0
    assert queued(completion) == [(str(completion.pk), 1)]
    assert [str(bad.pk) in record.message for record in caplog.records if "passed over" in record.message] == [True]


def test_a_lost_row_of_an_unknown_queue_does_not_keep_others_from_being_published(completion: Completion) -> None:
    provider = Provider.objects.create(name="of a newer version", kind="newer")
    model = Model.objects.create(provider=provider, name="n", identifier="n")
    Completion.objects.create(reply_id=uuid.uuid4(), role="summarise", model=model, prompt=[])
    scan_until(Reaper(), lambda: queued(completion))


def test_a_running_row_with_a_lease_is_left_alone(completion: Completion) -> None:
    Completion.claim(completion.pk, 1)
    client().set(lease_key(Completion, completion.pk, 1), 1)
    subject = Reaper()
    for _ in range(5):
        subject.scan()
    completion.refresh_from_db()
    assert (completion.status, completion.attempt) == ("running", 1)


def test_a_running_row_without_a_lease_gets_a_new_attempt_that_goes_first(completion: Completion) -> None:
    waiting = Completion.objects.create(reply_id=uuid.uuid4(), role="summarise", model=completion.model, prompt=[])
    waiting.publish()
    Completion.claim(completion.pk, 1)
    subject = Reaper()
    subject._notice_restart()
    subject._patient_until = 0
    subject.scan()
    completion.refresh_from_db()
    assert completion.attempt == 1, "one scan could be bad luck"
    subject.scan()
    completion.refresh_from_db()
    assert (completion.status, completion.attempt) == ("queued", 2)
    assert client().llen(completion.queue) == 1, "the list that is served first"
    assert client().llen(f"{completion.queue}:5") == 1


def test_the_lease_of_an_old_attempt_says_nothing_of_the_new_one(completion: Completion) -> None:
    Completion.objects.filter(pk=completion.pk).update(attempt=2)
    Completion.claim(completion.pk, 2)
    client().set(lease_key(Completion, completion.pk, 1), 1)  # by a process that was frozen, and thawed
    subject = Reaper()
    subject._notice_restart()
    subject._patient_until = 0
    for _ in range(2):
        subject.scan()
    completion.refresh_from_db()
    assert (completion.status, completion.attempt) == ("queued", 3)


def test_a_lease_that_could_not_be_taken_is_not_renewed(completion: Completion, monkeypatch: Any) -> None:
    key = lease_key(Completion, completion.pk, 1)
    with monkeypatch.context() as away:
        away.setattr(leases, "client", lambda: redis.Redis(port=1))
        with pytest.raises(redis.ConnectionError), attempts.claimed(Completion, str(completion.pk), 1):
            pass
    with Lease(Completion, "another", 1):  # the keeper is at work
        leases._keeper()._renew()
    assert not client().exists(key)


def test_a_reply_of_redis_that_never_comes_costs_no_lease(
    completion: Completion, monkeypatch: Any, settings: Any
) -> None:
    direct, key = client(), lease_key(Completion, completion.pk, 1)
    with Proxy(direct.connection_pool.connection_kwargs["port"]) as proxy:
        settings.REDIS_URL, settings.LEASE_SECONDS = f"redis://127.0.0.1:{proxy.port}/0", 4.0
        monkeypatch.setattr(leases, "_instance", None)
        with Lease(Completion, completion.pk, 1):
            wait_until(lambda: direct.getset(key, "not renewed") == b"", what="a lease")
            direct.pexpire(key, 4000)
            proxy.lose()
            wait_until(lambda: direct.get(key) != b"not renewed", what="a renewal")
            assert direct.exists(key), "it ran out"
        leases._keeper()._client = direct  # its thread lives on


def test_who_renews_leases_greets_no_redis(settings: Any) -> None:
    """On a slow one, each greeting would be one more wait of which every one has to be short enough."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            with server.accept()[0] as connection:
                while piece := connection.recv(65536):
                    heard.append(piece)
                    connection.sendall(b"+OK\r\n")

        thread = threading.Thread(target=listen)
        thread.start()
        settings.REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        with hasty_client(10) as subject:
            subject.set("lease", 1)
        thread.join(10)
    assert len(heard) == 1
    assert b"lease" in heard[0]


def test_a_wish_to_drain_that_was_not_heard_is_heard_later(monkeypatch: Any) -> None:
    keeper, execute = leases._keeper(), Pipeline.execute

    def too_late(pipeline: Any, raise_on_error: bool = True) -> None:
        execute(pipeline, raise_on_error)
        raise redis.TimeoutError

    with monkeypatch.context() as slow:
        slow.setattr(Pipeline, "execute", too_late)
        draining.ask(presence.own.name, to_drain=True)
        with pytest.raises(redis.TimeoutError):
            keeper._renew()
    try:
        wait_until(lambda: presence.own.is_draining, what="the wish to be heard")
        wait_until(lambda: not client().exists(wish_key(presence.own.name)), what="the wish to be taken away")
    finally:
        presence.own.drain(False)


@pytest.mark.django_db(transaction=True)
def test_after_a_time_without_redis_the_reaper_waits_for_renewals(completion: Completion, monkeypatch: Any) -> None:
    Completion.claim(completion.pk, 1)
    subject, stop = Reaper(), threading.Event()
    subject._notice_restart()
    subject._patient_until = 0

    def scan() -> None:
        stop.set()
        raise redis.ConnectionError

    with monkeypatch.context() as away:
        away.setattr(subject, "scan", scan)
        subject.run(stop)
    for _ in range(3):
        subject.scan()
    completion.refresh_from_db()
    assert completion.attempt == 1


@pytest.mark.django_db(transaction=True)
def test_an_answer_waits_for_a_database_that_is_away_for_a_moment(completion: Completion, monkeypatch: Any) -> None:
    claimed = Completion.claim(completion.pk, 1)
    assert claimed is not None
    close, failures = claimed.close, iter([OperationalError("the database is starting up")] * 2)

    def close_later(*arguments: Any, **fields: Any) -> bool:
        for failure in failures:
            raise failure
        return close(*arguments, **fields)

    monkeypatch.setattr(claimed, "close", close_later)
    assert attempts.close_persistently(claimed, "done", text="Worth it.")
    completion.refresh_from_db()
    assert (completion.status, completion.text) == ("done", "Worth it.")


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_kept_though_its_model_is_deleted_meanwhile(completion: Completion) -> None:
    claimed = Completion.claim(completion.pk, 1)
    assert claimed is not None
    assert claimed.model is not None
    Model.objects.filter(pk=claimed.model.pk).delete()
    assert attempts.close_persistently(claimed, "done", text="Worth it.", answered_by=claimed.model)
    completion.refresh_from_db()
    assert (completion.status, completion.text, completion.answered_by) == ("done", "Worth it.", None)


def test_after_a_restart_of_redis_the_reaper_waits_for_renewals(completion: Completion, monkeypatch: Any) -> None:
    Completion.claim(completion.pk, 1)
    monkeypatch.setattr(reaper, "server_run", lambda: ("just restarted", 0.0))
    subject = Reaper()
    for _ in range(5):
        subject.scan()
    completion.refresh_from_db()
    assert completion.attempt == 1


def test_a_row_out_of_attempts_is_quarantined_and_its_reader_told(completion: Completion) -> None:
    claimed = with_deaths(completion, settings.MAX_ATTEMPTS - 1 + reaper.UNWITNESSED_DEATHS)
    reaper.recover(claimed)
    completion.refresh_from_db()
    assert (completion.status, completion.error_code) == ("quarantined", "quarantined")
    [(_, fields)] = client().xrange(stream_key(completion.reply_id))
    assert fields[b"kind"] == b"failed"


def test_what_died_in_company_only_is_not_quarantined(completion: Completion) -> None:
    claimed = with_deaths(completion, settings.MAX_ATTEMPTS - 1)
    reaper.recover(claimed)
    assert (claimed.status, claimed.deaths, claimed.runs_alone) == ("queued", settings.MAX_ATTEMPTS, True)


def test_an_attempt_that_is_handed_over_is_no_death(completion: Completion) -> None:
    claimed = with_deaths(completion, 0)
    assert claimed.retry()
    assert (claimed.attempt, claimed.deaths) == (2, 0)


def with_deaths(completion: Completion, deaths: int) -> Completion:
    """A running completion whose earlier attempts all ended their processes."""
    Completion.objects.filter(pk=completion.pk).update(attempt=deaths + 1, deaths=deaths)
    claimed = Completion.claim(completion.pk, deaths + 1)
    assert claimed is not None
    return claimed


def test_only_one_reaper_is_on_duty() -> None:
    first, second = Reaper(), Reaper()
    assert first._is_on_duty()
    assert not second._is_on_duty()
    assert first._is_on_duty()


@pytest.mark.parametrize(
    "broken", [{"status": "done"}, {"finished_at": timezone.now()}, {"status": "running", "started_at": None}]
)
def test_the_database_refuses_contradictory_states(completion: Completion, broken: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Completion.objects.filter(pk=completion.pk).update(**broken)


def test_who_handed_over_a_job_cannot_end_it_any_more(completion: Completion) -> None:
    with attempts.claimed(Completion, str(completion.pk), 1) as held:
        assert held
        job, lease = held
        hand_over(lease)
        assert Completion.claim(completion.pk, 2)  # by somebody else
        assert lease.cancellation.is_set()
        assert not job.close("done", text="The old one's.")
    completion.refresh_from_db()
    assert (completion.status, completion.attempt, completion.text) == ("running", 2, "")


@pytest.mark.parametrize("newer", [True, False])
def test_what_breaks_off_in_an_older_worker_is_left_to_newer_ones(completion: Completion, newer: bool) -> None:
    changed_at = own_code().changed_at + (60 if newer else -60)
    with pretended_worker(queues=[completion.queue], code="another", code_changed_at=changed_at):
        for attempt in range(1, settings.MAX_ATTEMPTS + 3 if newer else 2):
            with pytest.raises(KeyError), attempts.claimed(Completion, str(completion.pk), attempt):
                raise KeyError("a kind of provider that came later")
    completion.refresh_from_db()
    assert (completion.status, completion.deaths) == (("queued", 0) if newer else ("running", 0))
    assert not completion.runs_alone


def died(completion: Completion, first: int) -> Completion:
    """Its process dies again and again, from this attempt on, until it is set aside."""
    attempt = first
    while held := Completion.claim(completion.pk, attempt):
        reaper.recover(held)
        attempt += 1
    completion.refresh_from_db()
    assert completion.status == "quarantined"
    return completion


def test_what_a_provider_counts_never_costs_more_than_a_row_can_hold(completion: Completion) -> None:
    assert completion.model
    completion.model.prompt_price = completion.model.completion_price = Decimal("999999.9999")
    assert completion.model.cost_of(1000, 1000) == Decimal("1999.9999998")
    completion.cost = completion.model.cost_of(2**31 - 1, 2**31 - 1)
    completion.save()
    completion.refresh_from_db()
    assert completion.cost == HIGHEST_COST


def test_out_of_quarantine_a_job_has_all_its_attempts_again(completion: Completion) -> None:
    last = died(completion, first=1).attempt
    assert completion.try_again()
    assert not completion.try_again()
    assert (completion.status, completion.attempt, completion.finished_at) == ("queued", last + 1, None)
    assert died(completion, first=last + 1).attempt == 2 * last


def test_what_is_discarded_has_failed_for_good(completion: Completion) -> None:
    assert died(completion, first=1).discard()
    completion.refresh_from_db()
    assert (completion.status, completion.error_code) == ("failed", "quarantined")
    assert not completion.try_again()
