"""Markdown in pages: what people write of it is shown, and nothing of it does anything."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.admin.markdown import MOST, rendered
from tests.labeling.admin.markup import refused

PIECES = [*"<>\"'&[]()!:/#|-*_`~\n ajsx=1", "javascript:", "data:", "onerror=", "<img ", "](", "\n\n", "http://"]
FILE = f"/media/{'a' * 32}/street.png"


@pytest.mark.parametrize(
    "text, html",
    [
        ("", ""),
        ("# Cars\n\nAll *of* **them**.", "<h3>Cars</h3>\n<p>All <em>of</em> <strong>them</strong>.</p>\n"),
        ("#### a\n\n##### b", "<h6>a</h6>\n<h6>b</h6>\n"),
        ("- one\n- two", "<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n"),
        ("~~old~~ `x < 1`", "<p><s>old</s> <code>x &lt; 1</code></p>\n"),
        ("[a](https://x.example/)", '<p><a href="https://x.example/" rel="noopener nofollow">a</a></p>\n'),
        ("[a](mailto:ana@x.example)", '<p><a href="mailto:ana@x.example" rel="noopener nofollow">a</a></p>\n'),
        ("[a](/admin/)", '<p><a href="/admin/" rel="noopener nofollow">a</a></p>\n'),
        ("[a](#b:c)", '<p><a href="#b:c" rel="noopener nofollow">a</a></p>\n'),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
        ("[a](&#106;avascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
        ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>\n"),
        ("<javascript:alert(1)>", "<p>&lt;javascript:alert(1)&gt;</p>\n"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ('a <b onclick="x">b</b>', "<p>a &lt;b onclick=&quot;x&quot;&gt;b&lt;/b&gt;</p>\n"),
        (f"![a street]({FILE})", f'<p><img src="{FILE}" alt="a street" /></p>\n'),
        (f"![](http://127.0.0.1:8000{FILE})", f'<p><img src="{FILE}" alt="" /></p>\n'),
        (
            "![far](https://x.example/a.png)",
            '<p><a href="https://x.example/a.png" rel="noopener nofollow">far</a></p>\n',
        ),
        (
            "[![far](https://x.example/a.png)](https://y.example/)",
            '<p><a href="https://y.example/" rel="noopener nofollow">far</a></p>\n',
        ),
        ('![a](/x" onerror="alert(1)', "<p>![a](/x&quot; onerror=&quot;alert(1)</p>\n"),
    ],
)
def test_what_is_written_is_shown(text, html):
    assert rendered(text) == html


def test_a_table_says_by_classes_how_it_is_aligned():
    html = rendered("| a | b | c |\n|:--|--:|:-:|\n| 1 | 2 | 3 |")
    assert "<td>1</td>" in html and '<td class="right">2</td>' in html and '<td class="centre">3</td>' in html
    assert "style" not in html


def test_a_text_that_would_take_long_to_read_is_shown_as_it_is():
    assert rendered("*" + "a" * (MOST - 2) + "*").startswith("<p><em>aaa")
    assert rendered("<b>" + "[" * MOST) == "<pre>&lt;b&gt;" + "[" * MOST + "</pre>"


@given(st.lists(st.sampled_from(PIECES), max_size=120).map("".join))
def test_nothing_runs_whatever_is_written(text):
    html = rendered(text)
    assert refused(html) == []
    for tag in re.findall(r"<[^>]*>", html):
        assert re.fullmatch(r'</?(h[3-6]|[a-z]+)( (href|src|alt|title|rel|class|start)="[^"]*")*( /)?>', tag), tag
        assert not re.search(r'(href|src)="\s*(javascript|data|vbscript|file):', tag, re.IGNORECASE), tag
