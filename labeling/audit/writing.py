"""A report's answer as bytes: JSON, NDJSON, CSV, Markdown or a page of its own, written while it is computed.

Each form says by which definition it is, at which offsets, and ends with the digest. People are ids, so that the same
question has the same bytes whatever they are called today; `names` adds what they are called. What somebody wrote is
shown while their key is there, and `(erased)` afterwards; the digest stays the same.
"""

from __future__ import annotations

import csv
import html
import io
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import orjson

from labeling.api.cells import cell
from labeling.audit import timeline
from labeling.audit.asking import Asked
from labeling.audit.report import Cells, Digest, Part, Report, Row, Written
from labeling.queries.labels import names_of
from labeling.texts import decrypt_all

JSON = dict[str, Any]

#: Media types by the name of the form.
FORMS = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
}
#: Columns that hold people.
PEOPLE = ("author", "on_behalf_of", "person", "whose", "by", "subject", "cut_by", "signed_by")
BATCH = 200


def pieces(asked: Asked, form: str, *, with_names: bool = False) -> Iterator[bytes]:
    """The answer in the form of that name, piece by piece."""
    digest = Digest(asked.definition)
    shown = shown_rows(asked.rows, digest, with_names=with_names)
    return WRITERS[form](asked, shown, digest)


Shown = tuple[str, Cells, Mapping[str, str]]
Writer = Callable[[Asked, Iterator[Shown], Digest], Iterator[bytes]]


def shown_rows(rows: Iterable[Row], digest: Digest, *, with_names: bool) -> Iterator[Shown]:
    """The rows with their texts decrypted, and the names of today of the people in them."""
    stream = iter(rows)
    while batch := list(islice(stream, BATCH)):
        for part, cells in batch:
            digest.add(part, cells)
        places = [(row, name) for row, (_, cells) in enumerate(batch) for name in cells if _is_written(cells[name])]
        texts = decrypt_all([batch[row][1][name].stored for row, name in places])
        plain = [dict(cells) for _, cells in batch]
        for (row, name), text in zip(places, texts, strict=True):
            plain[row][name] = text
        names = _names(plain) if with_names else {}
        for (part, _), cells in zip(batch, plain, strict=True):
            yield part, cells, names


def _is_written(value: Any) -> bool:
    return isinstance(value, Written)


def _names(rows: list[Cells]) -> dict[str, str]:
    found = {_uuid(cells.get(name)) for cells in rows for name in PEOPLE}
    return {str(person): name for person, name in names_of(found).items()}


def _uuid(value: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _named(cells: Cells, names: Mapping[str, str]) -> Cells:
    """With the names of people behind their ids."""
    return {f"{key}_name": names[cells[key]] for key in PEOPLE if cells.get(key) in names} if names else {}


def _json(asked: Asked, rows: Iterator[Shown], digest: Digest) -> Iterator[bytes]:
    report = asked.report
    head = {
        "definition": asked.definition,
        "title": report.title,
        "answers": report.answers,
        "parts": {name: {"title": part.title, "columns": part.columns} for name, part in report.parts.items()},
    }
    yield orjson.dumps(head)[:-1] + b',"rows":['
    separator = b"\n"
    for part, cells, names in rows:
        yield separator + orjson.dumps({"part": part} | cells | _named(cells, names))
        separator = b",\n"
    yield b"\n]," + orjson.dumps({"count": digest.rows, "digest": digest.hex})[1:]


def _ndjson(asked: Asked, rows: Iterator[Shown], digest: Digest) -> Iterator[bytes]:
    yield orjson.dumps({"part": "report", "definition": asked.definition}) + b"\n"
    for part, cells, names in rows:
        yield orjson.dumps({"part": part} | cells | _named(cells, names)) + b"\n"
    yield orjson.dumps({"part": "digest", "count": digest.rows, "digest": digest.hex}) + b"\n"


def _csv(asked: Asked, rows: Iterator[Shown], digest: Digest) -> Iterator[bytes]:
    """RFC 4180: one table for all parts, whose name is the first column; the last line is the digest."""
    columns = asked.report.columns()
    out = io.StringIO()
    writer = csv.writer(out)
    people = [name for name in columns if name in PEOPLE]
    is_first = True
    for part, cells, names in rows:
        if is_first:
            writer.writerow(["part", *columns, *(f"{name}_name" for name in people if names)])
            is_first, has_names = False, bool(names)
        line = [cell(_plain(cells.get(name))) for name in columns]
        writer.writerow([part, *line, *(cell(names.get(str(cells.get(name)), "")) for name in people if has_names)])
        if out.tell() > 1 << 16:
            yield _taken(out)
    if is_first:
        writer.writerow(["part", *columns])
    writer.writerow(["digest", digest.hex, orjson.dumps(asked.definition).decode(), *([""] * (len(columns) - 2))])
    yield _taken(out)


def _taken(out: io.StringIO) -> bytes:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text.encode()


def _plain(value: Any) -> Any:
    return "" if value is None else "true" if value is True else "false" if value is False else value


STYLE = (
    "body{font:14px/1.45 system-ui,sans-serif;margin:2rem;color:#1c2430}h1{font-size:1.5rem;margin:0}"
    "h2{font-size:1.1rem;margin:2rem 0 .5rem}p{max-width:60rem}table{border-collapse:collapse;font-size:12px}"
    "th,td{border-bottom:1px solid #d8dee6;padding:.3rem .6rem;text-align:left;vertical-align:top;"
    "overflow-wrap:anywhere;max-width:22rem;white-space:pre-line}th{background:#f2f5f8;position:sticky;top:0}td.n{text-align:right}"
    "code{font-size:12px}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;font-size:12px}"
    "dt{font-weight:600}dd{margin:0}.quiet{color:#5b6675}"
)


def _html(asked: Asked, rows: Iterator[Shown], digest: Digest) -> Iterator[bytes]:
    """A page that needs nothing else, for people; a table a part, or the events of a story one after the other."""
    report, definition = asked.report, asked.definition
    style = STYLE + (timeline.STYLE if report.is_story else "")
    title = html.escape(f"{report.code} {report.title}")
    yield (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n<style>{style}</style>\n'
        f"<h1>{title}</h1>\n<p>{html.escape(report.answers)}</p>\n"
        f'<p class="quiet">{html.escape(_in_words(definition))}</p>\n'
    ).encode()
    yield from timeline.body(rows, asked.scenes) if report.is_story else _tables(report, rows)
    if not digest.rows:
        yield b"<p>Nothing to tell.</p>\n"
    meanings = {name: words for part in report.parts.values() for name, words in part.columns.items()}
    words = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(said)}</dd>" for name, said in meanings.items())
    yield (
        f"<h2>What the columns are</h2>\n<dl>{words}</dl>\n"
        f"<h2>Definition and digest</h2>\n<p><code>{html.escape(orjson.dumps(definition).decode())}</code></p>\n"
        f"<p><code>{digest.hex}</code>, {digest.rows} rows</p>\n</html>\n"
    ).encode()


def _tables(report: Report, rows: Iterator[Shown]) -> Iterator[bytes]:
    current: str | None = None
    for part, cells, names in rows:
        if part != current:
            if current is not None:
                yield b"</table>\n"
            yield _table_head(report.parts[part])
            current = part
        columns = report.parts[part].columns
        yield b"<tr>" + b"".join(_td(cells.get(name), names) for name in columns) + b"</tr>\n"
    yield b"</table>\n" if current is not None else b""


def named(definition: JSON) -> list[tuple[str, int]]:
    """The logs that have names, and up to where they were read; the others are in a table of their own."""
    return [(name, offset) for name, offset in definition["offsets"].items() if _uuid(name) is None]


def _in_words(definition: JSON) -> str:
    places = ", ".join(f"{name} log at offset {offset}" for name, offset in named(definition))
    period = [f"{word} {definition[word]}" for word in ("from", "to") if definition[word]]
    return f"Version {definition['version']}; {'; '.join([places, *period])}. Times are UTC; people are ids."


def _table_head(part: Part) -> bytes:
    heads = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in part.columns)
    return f"<h2>{html.escape(part.title)}</h2>\n<table>\n<tr>{heads}</tr>\n".encode()


def _td(value: Any, names: Mapping[str, str]) -> bytes:
    if isinstance(value, str) and value in names:
        return f'<td title="{html.escape(value)}">{html.escape(names[value])}</td>'.encode()
    kind = ' class="n"' if isinstance(value, int | float) and not isinstance(value, bool) else ""
    return f"<td{kind}>{html.escape(str(_plain(value)))}</td>".encode()


def _md(asked: Asked, rows: Iterator[Shown], digest: Digest) -> Iterator[bytes]:
    """Markdown with tables (GitHub's), to stand in a repository beside the data."""
    report, definition = asked.report, asked.definition
    yield f"# {report.code} {report.title}\n\n{report.answers}\n\n{_in_words(definition)}\n".encode()
    current: str | None = None
    for part, cells, names in rows:
        columns = report.parts[part].columns
        if part != current:
            heads = f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}\n"
            yield f"\n## {report.parts[part].title}\n\n{heads}".encode()
            current = part
        yield f"| {' | '.join(_md_cell(cells.get(name), names) for name in columns)} |\n".encode()
    if not digest.rows:
        yield b"\nNothing to tell.\n"
    said = orjson.dumps(definition).decode()
    yield f"\n## Definition and digest\n\n`{said}`\n\n`{digest.hex}`, {digest.rows} rows\n".encode()


def _md_cell(value: Any, names: Mapping[str, str]) -> str:
    """A cell of one line in which nothing is markup."""
    text = names.get(value, value) if isinstance(value, str) else str(_plain(value))
    for mark in ("\\", "|", "`", "*", "_", "[", "]", "#", "~"):
        text = text.replace(mark, "\\" + mark)
    return "<br>".join(html.escape(text, quote=False).splitlines())


WRITERS: dict[str, Writer] = {"json": _json, "ndjson": _ndjson, "csv": _csv, "html": _html, "md": _md}
