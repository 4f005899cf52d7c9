"""Where an event happened, in words and as a link: the dataset, sample, label or account that its stream is of."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.urls import reverse

from labeling.admin.display import full_names
from labeling.log.browse import Headline
from labeling.log.event import INSTALLATION, SECURITY
from labeling.models import Issue, LabelSet, Person, Sample
from labeling.rules.label_ids import label_id

#: What the streams of an app above are called: prefix → (log, id in the stream) to (words, address).
KINDS: dict[str, Callable[[uuid.UUID, str], tuple[str, str]]] = {}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something happened. `url` is "" where there is no page for it."""

    words: str
    url: str
    log_words: str
    log_url: str


class Places:
    """The places of a list of events, with their names read in one query a kind."""

    def __init__(self, headlines: Sequence[Headline]) -> None:
        logs = {item.log for item in headlines}
        parts = [item.stream.split("/") for item in headlines]
        samples = {_uuid(part[1]) for part in parts if part[0] in ("sample", "label") and len(part) > 1}
        sets = {_uuid(part[2]) for part in parts if part[0] == "label" and len(part) > 2}
        people = {_uuid(part[1]) for part in parts if part[0] in ("person", "organization") and len(part) > 1}
        issues = {_uuid(part[1]) for part in parts if part[0] == "issue" and len(part) > 1}
        self.datasets = full_names(logs)
        self.issues = dict(Issue.objects.filter(id__in=issues, archived=False).values_list("id", "sample_id"))
        samples |= set(self.issues.values())
        self.samples = dict(Sample.objects.filter(id__in=samples).values_list("id", "name"))
        self.sets = dict(LabelSet.objects.filter(id__in=sets).values_list("id", "name"))
        self.people = dict(Person.objects.filter(id__in=people).values_list("id", "username"))

    def of(self, item: Headline) -> Place:
        log_words, log_url = self.log(item.log)
        kind, _, rest = item.stream.partition("/")
        words, url = self._stream(item, kind, rest)
        return Place(words, url, log_words, log_url)

    def log(self, log: uuid.UUID) -> tuple[str, str]:
        """The words for a log and the page of its dataset."""
        if log in (INSTALLATION, SECURITY):
            return "the installation" if log == INSTALLATION else "security", ""
        if log in self.datasets:
            return self.datasets[log], reverse("admin:labeling_dataset_change", args=[log])
        return str(log)[:8], ""

    def _stream(self, item: Headline, kind: str, rest: str) -> tuple[str, str]:
        if kind == "dataset":
            return "", ""
        if kind == "sample":
            key = _uuid(rest)
            url = reverse("admin:labeling_sample_change", args=[key]) if key in self.samples else ""
            return self.samples.get(key, "a sample"), url
        if kind == "label":
            sample, _, label_set = rest.partition("/")
            words = f"{self.samples.get(_uuid(sample), 'a sample')} · {self.sets.get(_uuid(label_set), 'a label set')}"
            return words, reverse("admin:labeling_label_change", args=[label_id(item.stream)])
        if kind == "issue":
            key = _uuid(rest)
            url = reverse("admin:labeling_issue_change", args=[key]) if key in self.issues else ""
            return f"an issue on {self.samples.get(self.issues.get(key, key), 'a sample')}", url
        if kind in ("person", "organization"):
            key = _uuid(rest)
            url = reverse("admin:labeling_person_change", args=[key]) if key in self.people else ""
            return self.people.get(key, "an account"), url
        if kind in ("asset", "login", "denied", "download"):
            return "", ""  # the words for the event say all that there is
        if kind in KINDS:
            return KINDS[kind](item.log, rest)
        return kind, ""


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)
