"""Where sockets are blocked, and where events are held back too: the same chat, over plain HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from chatsite.chat.models import Turn
from tests import processes
from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from tests.browser.steps import answer, ask, finish
from tests.browser.test_interruptions import DEADLINES, LET_TIME_PASS
from tests.browser.test_ready import AWAY, LOOK
from tests.conftest import Connect, Site
from tests.environment import free_port
from workers.connections import client

pytestmark = [pytest.mark.browser, pytest.mark.processes]


# What is on the way: each takes a page before it is opened.
BLOCKED = {
    "sockets are closed": lambda page: page.route_web_socket("**/ws/", lambda route: route.close(code=1011)),
    "the browser has no sockets": lambda page: page.add_init_script("delete globalThis.WebSocket"),
    "sockets and events are blocked": lambda page: (
        page.add_init_script("delete globalThis.WebSocket"),
        page.route("**/frames/events/*", lambda route: route.abort()),
    ),
}
# Every frame that the page is told, in the order in which it hears them.
RECORD = """() => {
    globalThis.heard = [];
    const parse = JSON.parse;
    JSON.parse = (text) => {
        const value = parse(text);
        heard.push(...(Array.isArray(value) ? value : value?.frames ?? (value?.type ? [value] : [])));
        return value;
    };
    const json = Response.prototype.json;
    Response.prototype.json = async function () {
        const value = await json.call(this);
        heard.push(...(value?.frames ?? []));
        return value;
    };
}"""


def texts(page: Page) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = page.evaluate("() => heard")
    return [frame for frame in frames if frame.get("type") in ("started", "reset", "snapshot", "delta")]


def assert_contiguous(frames: list[dict[str, Any]]) -> None:
    """No gap and no repetition: each piece begins where the one before it has ended."""
    length = 0
    assert frames
    for frame in frames:
        if frame["type"] == "delta":
            assert frame["at"] == length, frames
            length += len(frame["text"])
        else:
            length = frame.get("length", 0)


@pytest.mark.parametrize("way", BLOCKED)
def test_the_same_text_comes_another_way(
    open_page: OpenPage, alice: Any, connect: Connect, provider: FakeProvider, way: str
) -> None:
    connect("gate3-tokens8")
    page = open_page(alice)
    page.add_init_script(f"({RECORD})()")
    BLOCKED[way](page)
    page.goto("/")
    reply = ask(page, "Count please")
    expect(page.get_by_label("Message", exact=True)).to_have_value("")
    expect(answer(reply)).to_have_text("t0 t1 t2")
    other = page.context.new_page()  # with a socket
    other.goto(page.url)
    expect(answer(other.locator(".reply"))).to_have_text("t0 t1 t2")
    provider.release()
    for each in (reply, other.locator(".reply")):
        expect(answer(finish(each))).to_have_text("t0 t1 t2 t3 t4 t5 t6 t7")
    assert_contiguous(texts(page))
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()
    finish(ask(other, "And again"))
    expect(page.locator(".bubble")).to_have_text(["Count please", "And again"])  # told as news
    page.get_by_label("Message", exact=True).fill("/nonsense")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is no route /nonsense.")
    assert Turn.objects.count() == 2


def test_when_the_server_is_replaced_there_is_no_gap_and_no_repetition(
    chromium: Browser, site: Site, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate3-tokens8")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    page = chromium.new_context(base_url=address).new_page()
    page.add_init_script(f"({RECORD})(); delete globalThis.WebSocket")
    site.sign_in(page, alice)
    with processes.web(port, PORT=str(port)) as web:
        page.goto("/")
        reply = ask(page, "Count please")
        expect(answer(reply)).to_have_text("t0 t1 t2")
        web.stop()
        assert "timeout graceful shutdown exceeded" not in web.log.read_text()  # its streams ended by themselves
    provider.release()
    with processes.web(port, PORT=str(port)):
        expect(answer(finish(reply))).to_have_text("t0 t1 t2 t3 t4 t5 t6 t7")
        expect(page.get_by_text("Reconnecting…")).to_be_hidden()
        assert_contiguous(texts(page))
        page.context.close()


def test_events_that_are_held_back_are_given_up_for_polls(open_page: OpenPage, alice: Any, connect: Connect) -> None:
    connect("tokens8")
    page = open_page(alice)
    page.add_init_script("delete globalThis.WebSocket")
    page.route("**/frames/events/*", lambda route: None)  # as by a proxy that waits for the end
    page.goto("/")
    expect(answer(finish(ask(page, "Count please")))).to_have_text("t0 t1 t2 t3 t4 t5 t6 t7")
    page.reload()
    with page.expect_request("**/frames/poll/*"):  # remembered: the next page does not try in vain
        pass
    assert Turn.objects.count() == 1


def test_stop_again_and_signing_out_work_without_a_socket(
    open_page: OpenPage, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate2-tokens8")
    page = open_page(alice)
    page.add_init_script("delete globalThis.WebSocket")
    page.goto("/")
    reply = ask(page, "Count please")
    expect(answer(reply)).to_have_text("t0 t1")
    page.keyboard.press("Escape")
    finish(reply, "cancelled")
    provider.release()
    reply.get_by_role("button", name="Answer again").click()
    finish(page.locator(".reply[data-status=done]"))
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in/?next=*")


def test_a_message_that_gets_no_answer_is_sent_again_and_saved_once(
    open_page: OpenPage, alice: Any, connect: Connect
) -> None:
    connect("tokens2")
    page = open_page(alice)
    page.add_init_script(f"({DEADLINES})(); delete globalThis.WebSocket")
    sent: list[str] = []

    def pass_on(route: Route) -> None:
        frame = route.request.post_data or ""
        if '"send"' in frame:
            sent.append(frame)
        if sent == [frame]:
            route.fetch()  # the connection dies without a sign, before the answer
        else:
            route.continue_()

    page.route("**/frames/", pass_on)
    with page.expect_response("**/frames/events/*"):
        page.goto("/")
    page.get_by_label("Message", exact=True).fill("/generate Hello")
    with page.expect_request(lambda request: '"send"' in (request.post_data or "")):
        page.keyboard.press("Enter")
    page.evaluate(LET_TIME_PASS)
    expect(answer(finish(page.locator(".reply")))).to_have_text("t0 t1")
    assert sent[1:] == sent[:1]
    assert Turn.objects.count() == 1


def test_who_comes_back_after_hours_sees_what_is_no_news_any_more(
    open_page: OpenPage, alice: Any, connect: Connect
) -> None:
    connect("tokens2")
    page = open_page(alice)
    page.add_init_script(f"({AWAY})(); delete globalThis.WebSocket")
    page.goto("/")
    finish(ask(page, "First"))
    other = page.context.new_page()
    other.goto(page.url)
    page.evaluate(LOOK, True)
    finish(ask(other, "Second"))
    client().xtrim("feed", maxlen=0, approximate=False)
    page.evaluate(LOOK, False)
    expect(page.locator(".bubble")).to_have_text(["First", "Second"])


# What a tab does after minutes, it does after a third of a second.
IN_A_HURRY = "{ const later = setTimeout; globalThis.setTimeout = (act, ms) => later(act, ms >= 60_000 ? 300 : ms); }"


def test_a_tab_comes_back_to_its_socket_by_itself(
    open_page: OpenPage, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate3-tokens8")
    page = open_page(alice)
    page.add_init_script(f"({RECORD})(); {IN_A_HURRY}")
    sockets: list[Any] = []
    is_blocked = True

    def opened(route: Any) -> None:
        if is_blocked:
            route.close(code=1011)
        else:
            route.connect_to_server()
            sockets.append(route)

    page.route_web_socket("**/ws/", opened)
    page.goto("/")
    with page.expect_request("**/frames/events/*"):
        reply = ask(page, "Count please")
    expect(answer(reply)).to_have_text("t0 t1 t2")
    with page.expect_event("requestfailed", lambda request: "/frames/events/" in request.url):
        is_blocked = False  # soon it does not listen that way any more
    assert len(sockets) == 1
    provider.release()
    expect(answer(finish(reply))).to_have_text("t0 t1 t2 t3 t4 t5 t6 t7")
    finish(ask(page, "And again"))
    expect(page.locator(".bubble")).to_have_text(["Count please", "And again"])
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()
    assert len(sockets) == 1
    assert Turn.objects.count() == 2
