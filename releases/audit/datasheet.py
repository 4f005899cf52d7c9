"""A16, the datasheet: what people say of a dataset, beside what the log says of what is in it, where it came from, how
it was labeled and by whom, how well, what is known to be missing, and where it went.

Of a release it is what stood at its offset. The tables that other reports have too are theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from labeling import events as e
from labeling.audit.catalogue import balance, involvement, process
from labeling.audit.report import Cells, Option, Part, Question, Report, Row, Sources, moment
from labeling.log.event import Event
from labeling.queries.datasheets import said_in, text_of
from labeling.rules import label_state
from labeling.rules.access import ACCEPTED
from labeling.rules.datasheet import FIELDS
from labeling.rules.deeds import deeds
from labeling.rules.label_state import LabelState
from labeling.rules.parts import ADDED, REMOVED
from releases.audit import lineage
from releases.audit.cuts import builds_of, releases_in
from releases.rules import ReleaseState

#: Of each table of another report: (that report, its part there, the columns that are left out).
TAKEN: dict[str, tuple[Report, str, frozenset[str]]] = {
    "classes": (balance.REPORT, "classes", frozenset()),
    "sources": (lineage.REPORT, "samples", frozenset()),
    "imports": (lineage.REPORT, "imports", frozenset({"reason", "on_behalf_of"})),
    "models": (involvement.REPORT, "makers", frozenset({"balance"})),
    "guidelines": (process.REPORT, "rules", frozenset({"data", "reason", "on_behalf_of", "author_kind", "tool"})),
    "work": (process.REPORT, "work", frozenset()),
    "people": (process.REPORT, "annotators", frozenset()),
}


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    known = [item for item in releases_in(sources) if question.options["release"] in ("", item.name, str(item.id))]
    then = sources
    if question.options["release"]:
        if not known:
            return
        then = sources.up_to(known[-1].at_offset)
        known = known[-1:]
    yield from declared(then)
    found = {name: list[Cells]() for name in TAKEN}
    for report in {item[0].code: item[0] for item in TAKEN.values()}.values():
        defaults = {name: option.default for name, option in report.options.items()}
        for part, cells in report.rows(then, Question(question.start_us, question.end_us, defaults)):
            for name, (of, theirs, without) in TAKEN.items():
                if of is report and theirs == part:
                    found[name].append({key: value for key, value in cells.items() if key not in without})
    held = _Held(then)
    yield from (("composition", {"fact": fact, "value": value}) for fact, value in held.facts())
    for name in ("classes", "sources", "imports", "models"):
        yield from ((name, cells) for cells in found[name])
    yield from (("operations", cells) for cells in operations(then, question))
    for name in ("guidelines", "work", "people"):
        yield from ((name, cells) for cells in found[name])
    yield from (("limits", cells) for cells in held.limits(found["classes"], found["models"]))
    yield from _distribution(sources, known)


def declared(sources: Sources) -> Iterator[Row]:
    """What people said, field by field, and what is missing."""
    said = said_in(sources.events(e.DatasheetSet.__name__, stream="dataset"))
    for name, field in FIELDS.items():
        event = said.get(name)
        yield (
            "declared",
            {
                "field": name,
                "section": field.section,
                "asks": field.asks,
                "text": None if event is None else text_of(event, name),
                "missing": field.required and event is None,
                "by": None if event is None else str(event.intent.author),
                "said_at": None if event is None else moment(event.recorded_at),
                "said_offset": None if event is None else event.offset,
            },
        )


class _Held:
    """What a dataset holds, counted once."""

    def __init__(self, sources: Sources) -> None:
        dataset = sources.dataset()
        self.dataset = dataset
        self.samples = {stream.split("/")[1] for stream, events in sources.streams("sample/") if _is_there(events)}
        self.files, self.bytes, self.erased = 0, 0, 0
        for event in sources.events("AssetAdded", "AssetErased"):
            if isinstance(event.fact, e.AssetAdded):
                self.files, self.bytes = self.files + 1, self.bytes + event.fact.size_bytes
            else:
                self.erased += 1
        self.labels: Counter[tuple[str, str]] = Counter()
        self.labeled: set[str] = set()
        self.objects = 0
        names = {key: item.name for key, item in dataset.label_sets.items()}
        for stream, events in sources.streams("label/"):
            state = label_state.fold(LabelState(sources.log, stream), events)
            if state.exists and state.sample in self.samples:
                self.labels[names.get(state.label_set, state.label_set), state.status] += 1
                self.labeled.add(state.sample)
                self.objects += len(state.annotations) + sum(len(items) for items in state.parts.values())
        self.unaccepted = sum(count for (_, status), count in self.labels.items() if status not in ACCEPTED)

    def facts(self) -> Iterator[tuple[str, Any]]:
        """(what, how much)."""
        yield "kind of task", self.dataset.task_type
        yield "samples", len(self.samples)
        yield "files", self.files
        yield "bytes of files", self.bytes
        yield "categories", len(self.dataset.task_attributes.get("categories") or ())
        yield "labels", self.labels.total()
        yield "objects", self.objects
        for (label_set, status), count in sorted(self.labels.items()):
            yield f"labels in {label_set}, {status.lower().replace('_', ' ')}", count

    def limits(self, classes: list[Cells], models: list[Cells]) -> Iterator[Cells]:
        """What the log itself shows to be missing or weak; a line each, none where there is nothing."""
        empty = [str(item["category_name"]) for item in classes if item["missing"]]
        unseen = sum(item["there"] - item["verified"] for item in models if item["made_by"] not in ("person", ""))
        for what, count, which in (
            ("categories without an object", len(empty), ", ".join(empty)),
            ("samples without a label", len(self.samples - self.labeled), ""),
            ("labels that nobody accepted", self.unaccepted, ""),
            ("objects by programs that no person verified", unseen, ""),
            ("files that were erased", self.erased, ""),
        ):
            if count:
                yield {"limit": what, "count": count, "which": which}


def _is_there(events: list[Event]) -> bool:
    return not isinstance(events[-1].fact, e.SampleArchived)


#: What each operation is, by what an event did to objects or by its type (AI Act, Art. 10(2)(c)).
OPERATIONS = ("annotation", "labelling", "cleaning", "updating", "aggregation")
LABELLING = ("Category", "Recategorized", "Attributes", "Classification")


def _operation(event: Event, did: int | None) -> str | None:
    if event.type == "CategoryMerged":
        return "aggregation"
    if event.type in ("SampleArchived", "LabelDeleted") or did == REMOVED:
        return "cleaning"
    if not event.stream.startswith("label/"):
        return None
    if did == ADDED:
        return "annotation"
    if any(word in event.type for word in LABELLING):
        return "labelling"
    return "updating" if did is not None or event.type in ("BitmapPatched", "LabelDocumentSet") else None


def operations(sources: Sources, question: Question) -> Iterator[Cells]:
    """What was done to prepare the data, by whom: people, models, imports or services."""
    found: dict[tuple[str, str], list[Any]] = {}
    for event in sources.events():
        if not question.holds(event):
            continue
        done = Counter(_operation(event, deed.did) for deed in deeds(event.fact)) or Counter([_operation(event, None)])
        for operation, count in done.items():
            if operation is not None:
                mine = found.setdefault((operation, event.intent.author_kind), [0, 0, event, event])
                mine[0], mine[1], mine[3] = mine[0] + 1, mine[1] + count, event
    for operation, kind in sorted(found, key=lambda item: (OPERATIONS.index(item[0]), item[1])):
        events, times, first, last = found[operation, kind]
        span = {"first_at": moment(first.recorded_at), "last_at": moment(last.recorded_at)}
        yield {"operation": operation, "author_kind": kind, "events": events, "times": times} | span


def _distribution(sources: Sources, releases: list[ReleaseState]) -> Iterator[Row]:
    builds = builds_of(releases)
    taken: Counter[str] = Counter()
    for event in sources.security("Downloaded"):
        if isinstance(event.fact, e.Downloaded) and event.fact.dataset == str(sources.log):
            taken[event.fact.release or event.fact.id] += event.fact.count
    used = Counter(str(event.data.get("release")) for event in sources.events("TrainingRegistered"))
    for item in releases:
        build, key = builds.get(str(item.id)), str(item.id)
        yield (
            "distribution",
            {
                "release": key,
                "name": item.name,
                "at_offset": item.at_offset,
                "withdrawn": not item.exists,
                "samples": build.samples_count if build else None,
                "identity": build.identity if build else None,
                "downloads": taken[key],
                "trainings": used[key],
            },
        )


def _taken(name: str, title: str) -> Part:
    report, part, without = TAKEN[name]
    return Part(title, {key: words for key, words in report.parts[part].columns.items() if key not in without})


REPORT = Report(
    "A16",
    "datasheet",
    "Datasheet",
    "What the dataset is for, what is in it and where that came from, how and by whom it was labeled, and its limits.",
    {
        "declared": Part(
            "What people say of it",
            {
                "field": "The field.",
                "section": "What it is about.",
                "asks": "What is asked.",
                "text": "What was said; empty where nothing was.",
                "missing": "Whether it is required, and nothing was said.",
                "by": "Who said it.",
                "said_at": "When.",
                "said_offset": "By which event.",
            },
        ),
        "composition": Part("What is in it", {"fact": "What is counted.", "value": "How much there is."}),
        "classes": _taken("classes", "Classes"),
        "sources": _taken("sources", "Who brought the samples"),
        "imports": _taken("imports", "What labels were imported"),
        "models": _taken("models", "Who made the objects, and which of them people verified"),
        "operations": Part(
            "How it was prepared",
            {
                "operation": "Annotation: objects were added; labelling: categories and attributes were set; cleaning:"
                " objects, labels or samples were taken out; updating: objects were changed; aggregation: categories"
                " were merged.",
                "author_kind": "By people, models, imports or services.",
                "events": "Events.",
                "times": "Objects that they touched, one by one.",
                "first_at": "Since when.",
                "last_at": "Until when.",
            },
        ),
        "guidelines": _taken("guidelines", "Versions of the categories and of the guideline"),
        "work": _taken("work", "What was labeled under each version"),
        "people": _taken("people", "Who labeled, and how that fared in review"),
        "limits": Part(
            "Known limits that the log shows",
            {"limit": "What is missing or weak.", "count": "How many.", "which": "Which ones, where they have names."},
        ),
        "distribution": Part(
            "Releases, and where they went",
            {
                "release": "The release.",
                "name": "Its name.",
                "at_offset": "The offset that it froze.",
                "withdrawn": "Whether it was taken back.",
                "samples": "Samples in it.",
                "identity": "The hash of its manifest.",
                "downloads": "How often it or an export of it was downloaded.",
                "trainings": "Trainings that were registered.",
            },
        ),
    },
    _rows,
    options={"release": Option("The name or the id of a release: the datasheet as it was at its offset.")},
    reads=("security",),
)
