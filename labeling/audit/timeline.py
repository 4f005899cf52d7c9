"""The history of a record as a page has it: an entry an event, with its sentence, both values of what it changed, what
that looked like, and the way to take it back."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from django.urls import reverse

from labeling.audit.report import Cells
from labeling.audit.scenes import Scenes
from labeling.rules.label_ids import label_id

JSON = dict[str, Any]
Shown = tuple[str, Cells, Mapping[str, str]]

#: Characters of a value that are seen at once.
SHORT = 90

STYLE = """
.timeline{list-style:none;padding:0;max-width:76rem}
.timeline>li{display:grid;grid-template-columns:11.5rem minmax(0,1fr) 22.6rem;gap:.25rem 1.5rem;padding:.8rem 0;
border-top:1px solid #d8dee6}
.timeline .head{font-size:12px;color:#5b6675}
.timeline .says{margin:0 0 .35rem;font-size:14px}
.timeline q{color:#5b6675}
.timeline .pictures{display:flex;gap:.5rem;align-items:flex-start;margin-bottom:.4rem}
.timeline figure{margin:0}
.timeline figcaption{font-size:11px;color:#5b6675}
.sketch{display:block;background:#eef1f4;border-radius:3px}
.gone{display:grid;place-items:center;width:174px;height:130px;border:1px dashed #b7c0cb;border-radius:3px;
color:#5b6675;font-size:12px}
.timeline table{width:100%;table-layout:fixed;margin-bottom:.4rem}
.timeline th{width:8rem;background:none;position:static;font-weight:600}
.timeline caption{text-align:left;font-size:12px;color:#5b6675;padding:.1rem 0}
.timeline td{max-width:none}
.timeline thead th{width:auto;font-weight:400;color:#5b6675;padding:.1rem .6rem;border:0}
.timeline summary{cursor:pointer}
.timeline .undo{font-size:12px}
"""


def body(rows: Iterable[Shown], scenes: Scenes) -> Iterator[bytes]:
    """The entries, in the order of the rows."""
    scenes.are_drawn = True
    is_first = True
    for _, group in groupby(rows, key=lambda row: row[1].get("offset")):
        if is_first:
            yield b'<ol class="timeline">\n'
            is_first = False
        yield _entry(list(group), scenes).encode()
    yield b"</ol>\n" if not is_first else b""


def _entry(rows: list[Shown], scenes: Scenes) -> str:
    _, first, names = rows[0]
    author = str(first.get("author"))
    kind = first.get("author_kind")
    by = html.escape(names.get(author, author[:8] + "…"))
    with_what = [word for word in (kind if kind != "person" else None, first.get("tool")) if word]
    at = html.escape(str(first.get("recorded_at") or ""))[:19].replace("T", " ")
    more = f" · {html.escape(' · '.join(with_what))}" if with_what else ""
    head = [
        f"<b>#{first.get('offset')}</b> <time>{at}</time>",
        f'<span title="{html.escape(author)}">{by}</span>{more}',
        html.escape(str(first.get("type") or "")),
    ]
    reason = first.get("reason")
    sentence = str(first.get("sentence") or "")
    said = f'<p class="says">{html.escape(sentence[:1].upper() + sentence[1:])}</p>'
    said += f"<p><q>{html.escape(str(reason))}</q></p>" if reason else ""
    pictures = [_pictures(cells, scenes) for _, cells, _ in rows]
    return (
        f'<li id="event-{first.get("offset")}"><div class="head">{"<br>".join(head)}</div>'
        f"<div>{said}{''.join(_fields(cells) for _, cells, _ in rows)}</div>"
        f"<div>{''.join(pictures)}{_undo(first)}</div></li>\n"
    )


def _pictures(cells: Cells, scenes: Scenes) -> str:
    drawn = scenes.drawn(cells)
    if drawn is None:
        return ""
    sides = [
        f"<figure>{svg or '<div class=gone>not there</div>'}<figcaption>{words}</figcaption></figure>"
        for svg, words in zip(drawn, ("before", "after"), strict=True)
    ]
    return f'<div class="pictures">{"".join(sides)}</div>'


def _fields(cells: Cells) -> str:
    """What a row changed: each field with both values."""
    if cells.get("what") is None:
        return ""
    before, after = _loaded(cells.get("before")), _loaded(cells.get("after"))
    names = sorted({*before, *after})
    kind, _, key = str(cells["what"]).partition(":")
    kind = ("sample" if cells.get("sample") else "dataset") if kind == "self" else kind
    about = f"{kind} {cells['id']}" if cells.get("id") is not None else kind
    did = "added" if cells.get("before") is None else "removed" if cells.get("after") is None else "changed"
    title = f'<caption title="{html.escape(key)}">{html.escape(about)} {did}</caption>'
    lines = "".join(
        f"<tr><th scope=row>{html.escape(name)}</th>{_cell(before, name)}{_cell(after, name)}</tr>" for name in names
    )
    heads = '<thead><tr><th></th><th scope="col">before</th><th scope="col">after</th></tr></thead>'
    return f"<table>{title}{heads}{lines}</table>" if lines else ""


def _loaded(text: Any) -> JSON:
    found = json.loads(text) if isinstance(text, str) and text else {}
    return found if isinstance(found, dict) else {}


def _cell(side: JSON, name: str) -> str:
    if name not in side:
        return "<td>–</td>"
    value = side[name]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    if len(text) <= SHORT:
        return f"<td>{html.escape(text)}</td>"
    short, rest = html.escape(text[:SHORT]), html.escape(text)
    return f"<td><details><summary>{short}…</summary>{rest}</details></td>"


def _undo(cells: Cells) -> str:
    """The way to the dry run of taking an event of a label back, in the installation that the page is read from."""
    sample, label_set = cells.get("sample"), cells.get("label_set")
    if not sample or not label_set:
        return ""
    key = label_id(f"label/{sample}/{label_set}")
    address = reverse("admin:labeling_label_takeback", args=[key, cells["offset"]])
    return f'<a class="undo" href="{address}">what taking it back would do…</a>'
