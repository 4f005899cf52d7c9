"""The audit's pages: the reports of a dataset, and of the installation, as tables with charts where one helps.

They ask the same reports as the API and show the first rows of each table, with the names of today; the files beside
them hold all of it. That somebody read one is told in the security log, as over the API.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.admin import charts
from labeling.admin.charts import Bar
from labeling.admin.logins import source_of
from labeling.admin.rights import intent_of, is_superuser, may
from labeling.admin.tabs import dataset_here, shown
from labeling.api.audit import question_of, streamed
from labeling.audit import timeline, writing
from labeling.audit.asking import OTHERS, Asked, ask, logs_named, parameters_of
from labeling.audit.catalogue import reports
from labeling.audit.report import Cells, Digest, Report, Written
from labeling.audit.writing import PEOPLE
from labeling.commands import people, security
from labeling.errors import InvalidValue
from labeling.log import store
from labeling.log.event import INSTALLATION
from labeling.log.values import BadValue
from labeling.models import LabelSet, Person, Sample
from labeling.queries import checkpoints
from labeling.queries.labels import names_of
from labeling.queries.logs import names_of_logs
from labeling.texts import decrypt_all

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite

    from labeling.admin.datasets import DatasetAdmin

JSON = dict[str, Any]

MOST_ROWS = 200
FORMS = ("csv", "ndjson", "json", "md", "html")
LONG = 60
#: What only the files have: it would leave no room for the rest.
QUIET = frozenset(
    {
        "schema_version", "version", "work_session", "gesture", "command", "event_id", "seen_offset", "data_hash",
        "chain", "on_behalf_of", "occurred_at", "log",
    }
)  # fmt: skip
#: Where what people look for first does not stand first, or not all columns have room.
SHOWN = {
    "events": ("offset", "recorded_at", "author", "author_kind", "tool", "reason", "type", "stream", "data"),
}
_ids = re.compile(r"([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
KEPT = {"integrity": frozenset({"log", "chain"}), "dossier": frozenset({"chain"})}


@dataclass(frozen=True, slots=True)
class Look:
    """A chart of one part of a report: what a bar is called, and the columns that it is made of, by their colours."""

    part: str
    label: Callable[[Cells], str]
    series: dict[str, str] = field(default_factory=dict)
    title: str = ""


def _maker(row: Cells) -> str:
    return " ".join(str(row[name]) for name in ("made_by", "model", "version") if row.get(name))


LOOKS = {
    "deletions": Look("totals", lambda row: row["what"], {"count": "count"}, "How often"),
    "duties": Look(
        "reviewers",
        lambda row: row["person"],
        {"accepted": "accepted", "rejected": "rejected"},
        "Reviews by person",
    ),
    "involvement": Look(
        "makers",
        _maker,
        {"unchanged": "unchanged", "corrected": "corrected", "removed": "removed"},
        "What became of the objects of each maker",
    ),
    "balance": Look(
        "classes",
        lambda row: row["category_name"] or ("no category" if row["category"] is None else str(row["category"])),
        {"objects": "objects"},
        "Objects by class",
    ),
    "dossier": Look("statuses", lambda row: row["status"].lower(), {"labels": "labels"}, "Labels by status"),
    "lineage": Look("edits", lambda row: f"{row['author_kind']} {row['tool']}".strip(), {"events": "events"}, "Edits"),
    "changes": Look("versions", lambda row: row["app_version"], {"events": "events"}, "Events by version"),
    "process": Look(
        "annotators",
        lambda row: row["person"],
        {"accepted": "accepted", "rejected": "rejected"},
        "How submissions fared",
    ),
}


def dataset_view(page: DatasetAdmin, request: HttpRequest, dataset: uuid.UUID, report: str = "") -> HttpResponseBase:
    """The catalogue of a dataset, or one report."""
    found = dataset_here(request, dataset)
    if not may(request, "audit", dataset):
        raise PermissionDenied
    known = reports("dataset")
    owner = Person.objects.filter(id=found.owner_id).values_list("username", flat=True).first()
    api = f"/datasets/{owner}/{found.name}"
    links = {name: reverse("admin:labeling_dataset_audited", args=[dataset, name]) for name in known}
    if report and report not in known:
        raise Http404
    if not report:
        context: JSON = {
            "catalogue": _catalogue(known, links),
            "checkpoint": _checkpoint(dataset),
            "bundle": f"{api}/bundle/",
        }
        return shown(
            page, request, found, "admin/labeling/dataset/audits.html", f"Audit: {found.name}", "audit", context
        )
    context, status = _asked(request, known[report], dataset, f"{api}/audit/{report}/")
    context["others"] = _others(known, links, report)
    title = f"{known[report].title}: {found.name}"
    return shown(page, request, found, "admin/labeling/dataset/audit.html", title, "audit", context, status=status)


def installation_view(site: AdminSite, request: HttpRequest, report: str = "") -> HttpResponseBase:
    """The catalogue of the installation, or one report, for who runs it."""
    if not is_superuser(request):
        raise PermissionDenied
    known = reports("installation")
    links = {name: reverse("admin:audited", args=[name]) for name in known}
    if report and report not in known:
        raise Http404
    if report and request.method == "POST":
        return _file(request, known[report])
    names: JSON = {
        **site.each_context(request),
        "title": known[report].title if report else "Audit of the installation",
    }
    status = 200
    if report:
        context, status = _asked(request, known[report], INSTALLATION, f"/audit/{report}/")
        names |= context | {"others": _others(known, links, report)}
    else:
        names |= {"catalogue": _catalogue(known, links), "checkpoint": _checkpoint(INSTALLATION)}
    request.current_app = site.name
    return TemplateResponse(
        request, "admin/audit/report.html" if report else "admin/audit/list.html", names, status=status
    )


def _catalogue(known: dict[str, Report], links: dict[str, str]) -> list[JSON]:
    return [
        {"code": item.code, "title": item.title, "answers": item.answers, "url": links[name]}
        for name, item in known.items()
    ]


def _others(known: dict[str, Report], links: dict[str, str], current: str) -> list[tuple[str, str, str, bool]]:
    return [(item.code, item.title, links[name], name == current) for name, item in known.items()]


def _checkpoint(log: uuid.UUID) -> JSON:
    """The last checkpoint, and how far the log has gone since."""
    last, head = checkpoints.last_of(log), store.head(log)
    if last is None:
        return {"head": head}
    return {
        "head": head,
        "number": last.number,
        "offset": last.offset,
        "behind": head - last.offset,
        "chain": last.chain,
    }


def _asked(request: HttpRequest, report: Report, log: uuid.UUID, api: str) -> tuple[JSON, int]:
    """What the page of a report shows, and its status."""
    query = {key: value for key, value in request.GET.dict().items() if value}
    context: JSON = {
        "report": report,
        "question": query,
        "options": [
            (name, name.replace("_", " "), option.says, query.get(name, ""), option.default)
            for name, option in report.options.items()
        ],
        "files": [],
    }
    try:
        asked = _answer(report, log, query)
    except (InvalidValue, BadValue) as error:
        return context | {"problem": str(error)}, 400
    _tell(request, report, log, "page")
    digest = Digest(asked.definition)
    if report.is_story:
        parts, kept = [_story(asked, digest)], dict[str, list[Cells]]()
    else:
        parts, kept = _tables(asked, digest, log)
    pinned = query | parameters_of(report, asked.definition)
    logs_at = pinned.pop("logs_at", "")
    look = LOOKS.get(report.name)
    names = _names(kept, log)
    return context | {
        "parts": [part for part in parts if part["count"]],
        "chart": _chart(look, kept[look.part], names) if look and kept[look.part] else None,
        "digest": digest.hex,
        "count": digest.rows,
        "offsets": ", ".join(f"{name} log at offset {offset}" for name, offset in writing.named(asked.definition)),
        "files": [(form, f"{api}?{urlencode(pinned | {'format': form})}") for form in FORMS],
        # Of many logs it is more than an address holds, so the files come by a form.
        "logs_at": logs_at,
        "again": f"?{urlencode(pinned)}",
    }, 200


def _answer(report: Report, log: uuid.UUID, query: JSON) -> Asked:
    """The report that the fields of a page ask for.

    Raises:
        InvalidValue, BadValue: the first that does not fit.
    """
    question = question_of(query, report, log)
    at = _number(query, "at")
    others = {name: place for name in OTHERS if (place := _number(query, f"{name}_at")) is not None}
    return ask(report, log, question, at=at, others=others, every=logs_named(query.get("logs_at", "")))


def _tell(request: HttpRequest, report: Report, log: uuid.UUID, form: str) -> None:
    """Tell the security log that a report is read."""
    dataset = None if log == INSTALLATION else log
    security.audit_read(
        intent=intent_of(request), what=report.name, dataset=dataset, form=form, source=source_of(request)
    )


def _file(request: HttpRequest, report: Report) -> HttpResponseBase:
    """The file that the form of an installation's report asks for, by the offsets of its page."""
    form = request.POST.get("format", "")
    if form not in FORMS:
        raise Http404
    query = {key: value for key, value in (request.GET.dict() | request.POST.dict()).items() if value}
    try:
        asked = _answer(report, INSTALLATION, query)
    except (InvalidValue, BadValue) as error:
        raise Http404 from error
    _tell(request, report, INSTALLATION, form)
    return streamed(asked, form)


def _story(asked: Asked, digest: Digest) -> JSON:
    """The events of a story, the first ones told; all of them are in the digest."""
    rows = writing.shown_rows(asked.rows, digest, with_names=True)
    told = b"".join(timeline.body(islice(rows, MOST_ROWS), asked.scenes)).decode()
    asked.scenes.are_drawn = False
    for _ in rows:
        pass
    (part,) = asked.report.parts.values()
    return {
        "title": part.title,
        "html": SafeString(told),  # whatever it shows was escaped where it was put in
        "count": digest.rows,
        "shown": min(digest.rows, MOST_ROWS),
    }


def _tables(asked: Asked, digest: Digest, log: uuid.UUID) -> tuple[list[JSON], dict[str, list[Cells]]]:
    """(the tables of a report, the rows of each that are shown)."""
    report = asked.report
    kept: dict[str, list[Cells]] = {part: [] for part in report.parts}
    counts = dict.fromkeys(report.parts, 0)
    for part, cells in asked.rows:
        digest.add(part, cells)
        counts[part] += 1
        if counts[part] <= MOST_ROWS:
            kept[part].append(cells)
    names = _names(kept, log)
    return [_part(report, part, rows, counts[part], names) for part, rows in kept.items()], kept


def _number(query: JSON, name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidValue(name, "must be an offset of the log")
    return int(text)


def _names(kept: dict[str, list[Cells]], log: uuid.UUID) -> dict[str, str]:
    """What ids are called today: people, samples and label sets."""
    held: dict[str, set[uuid.UUID]] = {"people": set(), "sample": set(), "label_set": set()}
    for cells in (row for rows in kept.values() for row in rows):
        for name, value in cells.items():
            kind = "people" if name in PEOPLE else name
            if kind in held and isinstance(value, str) and (key := _uuid(value)) is not None:
                held[kind].add(key)
    found: dict[uuid.UUID, str] = names_of({*held["people"]})
    found |= dict(Sample.objects.filter(id__in=held["sample"]).values_list("id", "name"))
    found |= dict(LabelSet.objects.filter(id__in=held["label_set"]).values_list("id", "name"))
    found |= {people.OPERATOR: "the operator", security.NOBODY: "nobody known"}
    known = names_of_logs()
    found |= known if log == INSTALLATION else {log: known.get(log, "")}
    return {str(key): name for key, name in found.items()}


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _part(report: Report, part: str, rows: list[Cells], count: int, names: dict[str, str]) -> JSON:
    hidden = QUIET - KEPT.get(report.name, frozenset())
    used = {name for row in rows for name, value in row.items() if value not in (None, "")}
    if not {row.get("author_kind") for row in rows} - {"person"}:
        used.discard("author_kind")
    if "what" in used and report.name in ("deletions", "privacy"):
        used.discard("type")
    listed = SHOWN.get(report.name, tuple(report.parts[part].columns))
    columns = [name for name in listed if name in used and name not in hidden]
    texts = [value for row in rows for value in row.values() if isinstance(value, Written)]
    plain = dict(zip(texts, decrypt_all([item.stored for item in texts]), strict=True))
    return {
        "title": report.parts[part].title,
        "heads": [(name.replace("_", " "), report.parts[part].columns[name].replace("`", "")) for name in columns],
        "rows": [[_cell(name, row.get(name), names, plain) for name in columns] for row in rows],
        "count": count,
        "shown": len(rows),
    }


def _cell(name: str, value: Any, names: dict[str, str], texts: dict[Written, str | None]) -> SafeString | str:
    """A cell for people: names for ids, short times, yes and no."""
    if isinstance(value, Written):
        return texts[value] or ""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return (
            f"{value:.1%}"
            if name.endswith("share") or name == "share_of_all"
            else f"{value:,.3f}".rstrip("0").rstrip(".")
        )
    if isinstance(value, int):
        return f"{value:,}" if "offset" not in name else str(value)
    if value in names:
        return format_html('<span title="{}">{}</span>', value, names[value])
    if _uuid(value) is not None or (len(value) in (32, 64) and set(value) <= set("0123456789abcdef")):
        return format_html('<code title="{}">{}…</code>', value, value[:8])
    if value.endswith("Z") and value[10:11] == "T":
        return format_html('<span class="when" title="{}">{} {}</span>', value, value[:10], value[11:19])
    short = _ids.sub(r"\1…", value)
    if short != value or len(short) > LONG:
        shown_text = short if len(short) <= LONG else short[:LONG] + "…"
        return format_html('<span title="{}">{}</span>', value[:2000], shown_text)
    return str(value)


def _chart(look: Look, rows: Iterable[Cells], names: dict[str, str]) -> JSON:
    sums: dict[str, dict[str, float]] = {}
    for row in rows:
        label = look.label(row)
        parts = sums.setdefault(names.get(label, label), {})
        for column, series in look.series.items():
            parts[series] = parts.get(series, 0) + row[column]
    bars = [Bar(label, list(parts.items())) for label, parts in sums.items()]
    bars.sort(key=lambda bar: (-bar.whole, bar.label))
    legend = SafeString("")
    if len(look.series) > 1:
        legend = charts.legend([series for column, series in look.series.items()])
    return {
        "title": look.title,
        "svg": charts.bars(bars, worded=lambda value: f"{value:,.0f}", what=look.title),
        "legend": legend,
    }
