"""The reports of a dataset with charts: the same questions, rows and rights as those of the API."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.safestring import SafeString

from labeling.admin import charts, display
from labeling.admin.charts import Bar
from labeling.admin.denials import tell_denial
from labeling.admin.fields import words_of
from labeling.admin.recorded import REFUSALS
from labeling.admin.rights import intent_of, may, person_of
from labeling.admin.tabs import dataset_here, shown
from labeling.api.reports import names_in, options_of, question_of
from labeling.commands.saved_reports import checked_name, remove_report, save_report
from labeling.errors import InvalidValue, NotFound, NotPermitted, PalimpsestError
from labeling.models import Dataset
from labeling.queries import saved_reports as queries
from labeling.reports import catalogue
from labeling.reports.catalogue import REPORTS, Answered, Report

if TYPE_CHECKING:
    from labeling.admin.datasets import DatasetAdmin

JSON = dict[str, Any]
Row = dict[str, Any]

TITLES = {
    "time": "Working time",
    "cost": "Cost",
    "objects": "Objects",
    "quality": "Quality",
    "assistance": "Assistance",
    "queue": "Queue",
    "agreement": "Agreement",
}
NOTHING = "Nothing to show for this question yet."
NO_RATE = "Say above what an hour costs."


@dataclass(frozen=True, slots=True)
class Look:
    """How a report is drawn: the column that a bar's length is, or the columns that it is stacked of."""

    series: tuple[str, ...]
    parts: Callable[[Row], list[tuple[str, float]]]
    worded: Callable[[float], str]
    by: tuple[tuple[str, ...], ...]  #: what it is grouped by where nobody asks, a chart each


def hours(seconds: float) -> str:
    """3:05 h, 4:20 min, 12 s."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02} h"
    return f"{whole // 60}:{whole % 60:02} min" if whole >= 60 else f"{whole} s"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _first_pass(row: Row) -> list[tuple[str, float]]:
    return [("first_accepted", row["first_accepted"]), ("first_rejected", row["first_judged"] - row["first_accepted"])]


STAGES = ("label", "rework", "review", "edit", "view")
LOOKS = {
    "time": Look(STAGES, lambda row: [(row["stage"], row["active_s"])], hours, (("day", "stage"), ("person", "stage"))),
    "cost": Look(
        ("cost",), lambda row: [("cost", row["cost"])], lambda value: f"{value:,.2f}", (("person",), ("day",))
    ),
    "objects": Look(
        ("added", "changed", "removed"),
        lambda row: [(name, row[name]) for name in ("added", "changed", "removed")],
        _count,
        (("category",), ("person",)),
    ),
    "quality": Look(("first_accepted", "first_rejected"), _first_pass, _count, (("person",), ("day",))),
    "assistance": Look(
        ("as_they_came", "corrected", "removed"),
        lambda row: [(name, row[name]) for name in ("as_they_came", "corrected", "removed")],
        _count,
        (("made_by",), ("category",)),
    ),
    "agreement": Look(
        ("same_category", "other_category", "unmatched"),
        lambda row: [
            ("same_category", row["same_category"]),
            ("other_category", row["matched"] - row["same_category"]),
            ("unmatched", row["objects"] + row["others"] - 2 * row["matched"]),
        ],
        _count,
        (("label_set",), ("category",), ("person", "other_person")),
    ),
    "queue": Look(("labels",), lambda row: [("labels", row["labels"])], _count, (("status",),)),
}


def view(page: DatasetAdmin, request: HttpRequest, dataset: uuid.UUID, report: str = "time") -> HttpResponseBase:
    """A report with its charts and its table."""
    found = dataset_here(request, dataset, sends="history")
    if not may(request, "history", dataset):
        raise PermissionDenied
    asked = REPORTS.get(report)
    if asked is None:
        raise Http404
    sees_all = may(request, "work", dataset)
    if not asked.personal and not sees_all:
        raise PermissionDenied
    query = {key: value for key, value in request.GET.items() if key != "by"}
    if request.method == "POST" and request.POST.get("do") == "remove":
        return _remove(request, found)
    if request.method == "POST":
        return _keep(page, request, found, asked, query, sees_all)
    panels, problem, answered = [], "", None
    for by in LOOKS[asked.name].by:
        try:
            answered, panel = _panel(found, asked, query, by, None if sees_all else person_of(request).id)
        except (InvalidValue, NotPermitted) as error:
            tell_denial(request, error)
            problem = error.message
            break
        panels.append(panel)
    context = {
        "reports": [(name, TITLES[name], name == report) for name in REPORTS if sees_all or REPORTS[name].personal],
        "asked": replace(asked, says=asked.says.replace("`", "")),
        "meanings": {_head(name): words.replace("`", "") for name, words in asked.columns.items()},
        "question": query,
        "is_costly": "rate" in asked.options,
        "is_standing": asked.standing is not None,
        "kept": _kept(found, person_of(request).id, sees_all),
        "panels": panels,
        "problem": problem,
        "offset": answered.offset if answered else None,
        "sees_all": sees_all,
        "nothing": NO_RATE if "rate" in asked.options and not query.get("rate") else NOTHING,
    }
    return shown(
        page,
        request,
        found,
        "admin/labeling/dataset/reports.html",
        f"{TITLES[asked.name]}: {found.name}",
        "reports",
        context,
        status=400 if problem else 200,
    )


def _panel(
    dataset: Dataset, asked: Report, query: JSON, by: tuple[str, ...], only: uuid.UUID | None
) -> tuple[Answered, JSON]:
    said = query | {"by": ",".join(by)}
    question = question_of(said, asked, dataset=dataset.id, settings=dataset.settings, only=only)
    answered = catalogue.ask(asked, dataset.id, question, at=_offset(query), options=options_of(query, asked))
    look = LOOKS[asked.name]
    names = names_in(answered)
    categories = {item.get("id"): item.get("name") for item in dataset.task_attributes.get("categories") or ()}

    def word(key: str, value: Any) -> str:
        if value is None:
            return {"category": "no category", "sample": "on the way"}.get(key, "none")
        return str(categories.get(value, value) if key == "category" else names.get(str(value), value))

    bars: dict[str, dict[str, float]] = {}
    for row in answered.rows:
        parts = bars.setdefault(word(by[0], row[by[0]]), {})
        for series, value in look.parts(row):
            parts[series] = parts.get(series, 0) + value
    drawn = [
        Bar(label, [(series, parts.get(series, 0)) for series in look.series])
        for label, parts in bars.items()
        if any(parts.values())
    ]
    seen = [series for series in look.series if any(dict(bar.parts)[series] for bar in drawn)]
    what = f"{TITLES[asked.name]} by {by[0]}"
    if by[0] == "day":
        chart = charts.columns(drawn, worded=look.worded, what=what)
    else:
        drawn.sort(key=lambda bar: (-bar.whole, bar.label))
        chart = charts.bars(drawn, worded=look.worded, what=what)
    return answered, {
        "title": f"By {by[0].replace('_', ' ')}",
        "chart": chart if drawn else "",
        "legend": charts.legend(seen) if len(seen) > 1 else SafeString(""),
        "heads": [_head(name) for name in (*by, *asked.columns)],
        "rows": [
            [*(word(key, row[key]) for key in by), *(_cell(name, row[name]) for name in asked.columns)]
            for row in answered.rows[:500]
        ],
        "csv": _address(dataset, asked, query, by),
    }


def _head(name: str) -> str:
    """A column's name in words."""
    return {"mean_iou": "mean overlap"}.get(name, name.removesuffix("_s").replace("_", " "))


def _kept(dataset: Dataset, person: uuid.UUID, sees_all: bool) -> list[JSON]:
    """The reports that are kept and that somebody may see."""
    rows = [row for row in queries.saved_reports(dataset.id) if queries.may_see(row, person=person, sees_all=sees_all)]
    names = display.usernames([row.created_by for row in rows] + [dataset.owner_id])
    where = f"/datasets/{display.name_of(dataset.owner_id, names)}/{dataset.name}/savedreports"
    return [
        {
            "name": row.name,
            "title": TITLES[row.report],
            "offset": row.at_offset,
            "by": display.name_of(row.created_by, names),
            "id": row.id,
            "removable": sees_all or row.created_by == person,
            "url": f"{where}/{row.id}/",
        }
        for row in rows
    ]


def _keep(
    page: DatasetAdmin, request: HttpRequest, dataset: Dataset, asked: Report, query: JSON, sees_all: bool
) -> HttpResponseBase:
    """Keep the report that is shown, by what it is grouped by first."""
    try:
        question = question_of(
            query | {"by": ",".join(LOOKS[asked.name].by[0])},
            asked,
            dataset=dataset.id,
            settings=dataset.settings,
            only=None if sees_all else person_of(request).id,
        )
        save_report(
            intent=intent_of(request),
            dataset=dataset.id,
            name=checked_name(request.POST.get("name", "").strip()),
            report=asked,
            question=question,
            at=_offset(query),
            options=options_of(query, asked),
        )
        page.message_user(request, "The report is kept.", messages.SUCCESS)
    except REFUSALS as error:
        tell_denial(request, error)
        page.message_user(request, str(error), messages.ERROR)
    return HttpResponseRedirect(f"{request.get_full_path()}#kept")


def _remove(request: HttpRequest, dataset: Dataset) -> HttpResponseBase:
    """Remove a report that is kept."""
    try:
        saved = uuid.UUID(request.POST.get("report", ""))
    except ValueError:
        raise Http404 from None
    try:
        remove_report(intent=intent_of(request), dataset=dataset.id, saved=saved)
        messages.success(request, "The report is not kept any more.")
    except NotFound:
        raise Http404 from None
    except PalimpsestError as error:
        tell_denial(request, error)
        messages.error(request, words_of(error)[0])
    return HttpResponseRedirect(f"{request.get_full_path()}#kept")


def _offset(query: JSON) -> int | None:
    """The offset that labels are shown as of."""
    text = query.get("at") or ""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not int(text[:18]) >= 1:
        raise InvalidValue("at", "must be an offset of the dataset")
    return int(text[:18])


def look(report: str, title: str, drawn: Look) -> None:
    """Say how a report of an app above is drawn."""
    TITLES[report], LOOKS[report] = title, drawn


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name.endswith("_s"):
        return hours(value)
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def _address(dataset: Dataset, asked: Report, query: JSON, by: tuple[str, ...]) -> str:
    """The same as a file, of the API."""
    from labeling.models import Person

    owner = Person.objects.values_list("username", flat=True).get(id=dataset.owner_id)
    said = urlencode({key: value for key, value in query.items() if value} | {"by": ",".join(by), "format": "csv"})
    return f"/datasets/{owner}/{dataset.name}/reports/{asked.name}/?{said}"
