"""Connections that break, and what the page makes of it: no gap, no repetition, nothing lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from playwright.sync_api import APIResponse, Page, Route, WebSocketRoute, expect

from chatsite.chat import branches, conversations, feed, listing
from chatsite.chat.models import Conversation, Turn
from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from tests.browser.steps import answer, ask, finish
from tests.conftest import Connect
from tests.pages import rows

pytestmark = [pytest.mark.browser, pytest.mark.processes]


HTTP = re.compile("/healthz|/frames/")  # where the page would find that only sockets are down
LAZY = re.compile(r"/js/(reply|events|polling)[\w.]*\.js")  # scripts that a page fetches when it needs them
# Time-outs of requests come when the test says so.
DEADLINES = """() => {
  globalThis.deadlines = [];
  AbortSignal.timeout = () => {
    deadlines.push(new AbortController());
    return deadlines.at(-1).signal;
  };
}"""
LET_TIME_PASS = "() => deadlines.forEach((deadline) => deadline.abort())"


class Line:
    """The wire between page and server, to be cut at will."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.is_down = False
        self._routes: list[WebSocketRoute] = []
        page.route_web_socket("**/ws/", self._connected)

    def _connected(self, route: WebSocketRoute) -> None:
        if self.is_down:
            route.close(code=1012)
            return
        self._routes.append(route)
        route.connect_to_server()

    def cut(self) -> None:
        self.is_down = True
        for route in self._routes:
            route.close(code=1012)
        self._routes.clear()
        self._page.route(HTTP, lambda route: route.abort())

    def mend(self) -> None:
        self.is_down = False
        self._page.unroute(HTTP)


@pytest.fixture
def line(open_page: OpenPage, alice: Any) -> tuple[Page, Line]:
    page = open_page(alice)
    line = Line(page)
    page.goto("/")
    return page, line


def test_an_answer_goes_on_where_it_was(line: tuple[Page, Line], connect: Connect, provider: FakeProvider) -> None:
    page, wire = line
    connect("gate3-tokens8")
    reply = ask(page, "Count please")
    expect(answer(reply)).to_have_text("t0 t1 t2")
    wire.cut()
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    expect(answer(reply)).to_have_text("t0 t1 t2")
    wire.mend()
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()
    provider.release()
    expect(answer(finish(reply))).to_have_text("t0 t1 t2 t3 t4 t5 t6 t7")


def test_what_was_finished_meanwhile_is_there_afterwards(line: tuple[Page, Line], alice: Any, connect: Connect) -> None:
    page, wire = line
    connect("tokens2")
    finish(ask(page, "First"))
    wire.cut()
    other = page.context.new_page()
    other.goto(page.url)
    finish(ask(other, "Second"))
    with other.expect_response("**/draft/"):
        other.get_by_label("Message", exact=True).fill("half a thought")
    conversations.rename(alice, conversation_id=Conversation.objects.get().pk, title="Another title")
    rows.turn(alice, "Elsewhere")
    wire.mend()
    expect(page.locator(".bubble")).to_have_text(["First", "Second"])
    expect(page.get_by_label("Message", exact=True)).to_have_value("half a thought")
    expect(page.locator("#title")).to_have_text("Another title")
    expect(page.locator("#conversations li")).to_have_text(["Elsewhere", "Another title"])
    expect(answer(page.locator(".reply").nth(1))).to_have_text("t0 t1")


def test_a_message_that_is_sent_meanwhile_goes_out_once(line: tuple[Page, Line], connect: Connect) -> None:
    page, wire = line
    connect("tokens2")
    finish(ask(page, "First"))
    wire.cut()
    page.get_by_label("Message", exact=True).fill("/generate Second")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("goes out by itself")
    wire.mend()
    expect(answer(finish(page.locator(".reply").nth(1)))).to_have_text("t0 t1")
    expect(page.get_by_label("Message", exact=True)).to_have_value("")
    assert Turn.objects.count() == 2


def test_who_listens_hears_the_rest_of_what_was_finished_meanwhile(
    line: tuple[Page, Line], connect: Connect, provider: FakeProvider
) -> None:
    page, wire = line
    connect("echo-gate6")
    text = "The **first** one is short. Of the second one, the [end](https://example.org/a/long/address) comes later."
    reply = ask(page, text)
    expect(answer(reply)).to_contain_text("Of")
    wire.cut()
    other = page.context.new_page()
    other.goto(page.url)
    provider.release()
    finish(other.locator(".reply"))
    wire.mend()
    finish(reply)
    said = ["The first one is short.", "Of the second one, the end comes later."]
    expect(page.locator("#announcements p")).to_have_text(said)


@contextmanager
def old_copy(page: Page, address: str, ask_for_it: Callable[[], None]) -> Iterator[None]:
    """What the page fetches is held back; it has to be fetched anew when it comes, after what happens meanwhile."""
    copies: list[tuple[Route, APIResponse]] = []

    def hold_the_first(route: Route) -> None:
        if copies:
            route.continue_()
        else:
            copies.append((route, route.fetch()))

    page.route(address, hold_the_first)
    with page.expect_request(address):
        ask_for_it()
    while not copies:
        page.wait_for_timeout(10)
    yield
    [(route, copy)] = copies
    with page.expect_request(address):
        route.fulfill(response=copy)


def test_a_copy_that_is_older_than_what_came_meanwhile_is_not_shown(
    page: Page, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate3-tokens8")
    reply = ask(page, "Count please")
    expect(answer(reply)).to_have_text("t0 t1 t2")
    conversation = Conversation.objects.get()
    with old_copy(page, "**/c/**", lambda: branches.tell(conversation)):
        provider.release()
        finish(reply)
    expect(answer(finish(reply))).to_have_text("t0 t1 t2 t3 t4 t5 t6 t7")
    listed = page.locator("#conversations li")
    with old_copy(page, "**/conversations/", lambda: feed.tell(alice.pk, listing.frame_of_many(alice))):
        conversations.rename(alice, conversation_id=conversation.pk, title="Another title")
        expect(listed).to_have_text("Another title")
    expect(listed).to_have_text("Another title")


def test_a_page_that_cannot_be_fetched_holds_up_no_answer(
    open_page: OpenPage, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate3-tokens8")
    page = open_page(alice)
    page.add_init_script(f"({DEADLINES})()")
    wire = Line(page)
    page.goto("/")
    reply = ask(page, "Count please")
    expect(answer(reply)).to_have_text("t0 t1 t2")
    wire.cut()
    page.route("**/c/**", lambda route: None)  # over a connection that is dead without a sign
    with page.expect_request("**/c/**"):
        wire.mend()
    provider.release()
    page.evaluate(LET_TIME_PASS)
    expect(answer(finish(reply))).to_have_text("t0 t1 t2 t3 t4 t5 t6 t7")


def test_a_page_of_a_site_that_has_been_replaced_goes_on_with_what_it_has(
    line: tuple[Page, Line], connect: Connect
) -> None:
    page, wire = line
    connect("tokens2")
    page.route(LAZY, lambda route: route.fulfill(status=404))
    assert answer(finish(ask(page, "First"))).inner_text() == "t0 t1"
    wire.cut()
    with page.expect_request("**/js/events*.js"):
        page.unroute(HTTP)  # only sockets are down
    wire.mend()
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()
    finish(ask(page, "Second"))


def test_what_broke_off_stays_greyed_until_the_new_text_has_passed_it(
    page: Page, connect: Connect, provider: FakeProvider
) -> None:
    connect("cut3", "gate2-tokens8")
    reply = ask(page, "Count please")
    stale = reply.locator(".stale")
    provider.wait_for_requests(4)  # three tries of the first model, then the second
    expect(stale).to_have_text("t0 t1 t2")
    provider.release()
    expect(answer(finish(reply))).to_have_text("t0 t1 t2 t3 t4 t5 t6 t7")
    expect(stale).to_have_count(0)


def test_frames_that_come_twice_late_or_never_leave_no_trace(
    open_page: OpenPage, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("delay20-gate40-tokens50")
    page = open_page(alice)
    page.route_web_socket("**/ws/", lambda route: Meddler(route, last="t39 "))
    page.goto("/")
    reply = ask(page, "Count please")
    expect(answer(reply)).to_have_text(" ".join(f"t{number}" for number in range(40)))
    provider.release()
    expect(answer(finish(reply))).to_have_text(" ".join(f"t{number}" for number in range(50)))


def test_of_a_piece_that_is_partly_known_the_rest_is_shown(open_page: OpenPage, alice: Any, connect: Connect) -> None:
    connect("delay20-tokens20")
    page, repeaters = open_page(alice), list[Repeater]()
    page.route_web_socket("**/ws/", lambda route: repeaters.append(Repeater(route)))
    page.goto("/")
    reply = ask(page, "Count please")
    expect(answer(finish(reply))).to_have_text(" ".join(f"t{number}" for number in range(20)))
    assert sum(one.repeated for one in repeaters) > 3
    assert sum(one.asked_anew for one in repeaters) == 0, "it did not fit"


def test_only_an_error_that_names_a_message_refuses_it(page: Page) -> None:
    sockets: list[WebSocketRoute] = []
    sent: list[Any] = []

    def keep(route: WebSocketRoute) -> None:
        sockets.append(route)
        route.on_message(lambda message: sent.append(orjson.loads(message)))

    page.route_web_socket("**/ws/", keep)
    page.reload()
    text, refusal = page.get_by_label("Message", exact=True), page.locator("#refusal")
    text.fill("On its way")
    page.keyboard.press("Enter")
    expect(text).to_have_js_property("readOnly", True)
    error = {"type": "error", "code": "not_found", "text": "It is not there any more."}
    sockets[-1].send(orjson.dumps(error).decode())
    expect(refusal).to_have_text("It is not there any more.")
    expect(text).to_have_js_property("readOnly", True)
    [message] = [frame for frame in sent if frame["type"] == "send"]
    sockets[-1].send(orjson.dumps({**error, "client_id": message["client_id"], "text": "Too long."}).decode())
    expect(refusal).to_have_text("Too long.")
    expect(text).to_have_js_property("readOnly", False)
    expect(text).to_have_value("On its way")


class Repeater:
    """Begins each piece of text with the one before it, as another process may put them together."""

    def __init__(self, route: WebSocketRoute) -> None:
        self.repeated = 0
        self.asked_anew = 0  # how often the page attached after a piece of text
        self._route = route
        self._before: dict[str, Any] | None = None
        self._server = route.connect_to_server()
        self._server.on_message(self._to_page)
        route.on_message(self._to_server)

    def _to_page(self, message: str | bytes) -> None:
        frame = orjson.loads(message)
        if frame["type"] == "delta":
            before, self._before = self._before, frame
            if before:
                frame = {**frame, "at": before["at"], "text": before["text"] + frame["text"]}
                self.repeated += 1
        self._route.send(orjson.dumps(frame).decode())

    def _to_server(self, message: str | bytes) -> None:
        self.asked_anew += orjson.loads(message)["type"] == "attach" and self._before is not None
        self._server.send(message)


class Meddler:
    """Sends every third piece of text twice, every third after the next, and keeps every seventh, up to the `last`."""

    def __init__(self, route: WebSocketRoute, last: str) -> None:
        self._route = route
        self._last = last
        self._count = 0
        self._late: list[str | bytes] = []
        route.connect_to_server().on_message(self._pass_on)

    def _pass_on(self, frame: str | bytes) -> None:
        if '"delta"' not in str(frame) or self._last in str(frame):
            return self._send(frame)
        self._count += 1
        if self._count % 7 == 0:
            return None
        if self._count % 3 == 1:
            self._late.append(frame)
            return None
        return self._send(frame, *([frame] if self._count % 3 == 2 else []))

    def _send(self, *frames: str | bytes) -> None:
        for frame in (*frames, *self._late):
            self._route.send(frame)
        self._late.clear()
