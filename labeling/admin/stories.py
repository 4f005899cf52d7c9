"""What happened to a label, or to one of its objects, told in sentences, the oldest first."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from labeling.admin import display
from labeling.admin.rights import may
from labeling.log import store
from labeling.queries.history import Historian, entries, is_about
from labeling.rules.label_ids import label_stream

JSON = dict[str, Any]

#: How many sentences a page has; the newest are told.
MOST = 60


def story_of(label: Any, request: HttpRequest) -> JSON:
    """The story of a label, or of the object that the address names by `object`."""
    asked = request.GET.get("object", "")
    try:
        objects = {str(uuid.UUID(asked))} if asked else None
    except ValueError:
        objects = None
    events = store.read_stream(label.dataset_id, label_stream(label.sample_id, label.label_set_id))
    told = [
        item for item in Historian(label.dataset_id).told(events) if objects is None or is_about(item, objects=objects)
    ]
    may_undo = may(request, "label", label.dataset_id)
    lines = [_line(label, entry, may_undo=may_undo) for entry in entries(label.dataset_id, told[-MOST:])]
    for before, line in zip([None, *lines], lines, strict=False):
        line["goes_on"] = before is not None and before["command"] == line["command"]
    return {
        "of_object": objects is not None,
        "lines": lines,
        "left_out": max(0, len(told) - MOST),
        "whole_url": reverse("admin:labeling_label_change", args=[label.id]) + "#story",
    }


def _line(label: Any, entry: JSON, *, may_undo: bool) -> JSON:
    keys = [change["what"].partition(":")[2] for change in entry["changes"]]
    who, _, did = entry["sentence"].partition(" ")
    return {
        "who": who if entry["author_kind"] == "person" else f"{who} ({entry['author_kind']})",
        "did": did,
        "object": keys[0] if len(keys) == 1 else "",
        "reason": entry["reason"],
        "tool": entry["tool"],
        "when": display.when(entry["recorded_at"]),
        "command": entry["command"],
        "offset": entry["offset"],
        "takeback_url": reverse("admin:labeling_label_takeback", args=[label.id, entry["offset"]]) if may_undo else "",
        "url": reverse("admin:labeling_storedevent_change", args=[f"{label.dataset_id}@{entry['offset']}"]),
    }
