"""Undo and redo: one's own gestures on a label."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.labels import headers_of, sample_id
from labeling.api.requests import body_of, intent_of, seen_of, uuid_of
from labeling.api.schemas.parameters import DATASET_OFFSET, ETAG, IF_MATCH, IF_NONE_MATCH
from labeling.api.schemas.undo import UNDO, UNDONE
from labeling.api.views import Answer, View
from labeling.commands import undo as commands
from labeling.commands.undo import Undone
from labeling.errors import InvalidValue
from labeling.queries.labels import names_of

JSON = dict[str, Any]

#: What every body here may say about the command itself.
ABOUT = {"reason", "tool", "occurred_at", "seen_offset", "work_session", "gesture"}
HOW = {"on_conflict", "dry_run"}
REFUSALS = ("in_the_way", "history_exhausted", "refused", "storage_unavailable")


class _GesturesView(View):
    """Takes gestures back, or does them again."""

    writes = "label"
    redo = False

    def _post(self, request: Request, sample: str, label_set: str) -> Answer:
        body = body_of(request)
        only(body, {"count"} | HOW | ABOUT)
        undone = commands.undo_gestures(
            intent=intent_of(request, body),
            sample=sample_id(sample),
            label_set=label_set,
            count=count_of(body),
            redo=self.redo,
            seen=seen_of(request),
            **how(body),
        )
        return undone_answer(undone)


class UndoView(_GesturesView):
    """Take gestures back."""

    @documented(
        "label_undo",
        "label",
        {200: Reply(UNDONE, (ETAG, DATASET_OFFSET))},
        body=UNDO,
        parameters=(IF_MATCH, IF_NONE_MATCH),
        appends=True,
        refusals=REFUSALS,
    )
    def post(self, request: Request, sample: str, label_set: str) -> Answer:
        """Take back the last of one's own gestures on a label by new events. What others did since stays; where
        somebody built on it, `on_conflict` says what happens, and a dry run who it was."""
        return self._post(request, sample, label_set)


class RedoView(_GesturesView):
    """Do gestures again."""

    redo = True

    @documented(
        "label_redo",
        "label",
        {200: Reply(UNDONE, (ETAG, DATASET_OFFSET))},
        body=UNDO,
        parameters=(IF_MATCH, IF_NONE_MATCH),
        appends=True,
        refusals=REFUSALS,
    )
    def post(self, request: Request, sample: str, label_set: str) -> Answer:
        """Do again the last of one's own gestures that were taken back; a new gesture forgets them."""
        return self._post(request, sample, label_set)


def only(body: JSON, known: set[str]) -> None:
    """Refuse fields that nobody reads."""
    if body.keys() - known:
        raise InvalidValue("body", f"may hold {', '.join(sorted(known))}")


def count_of(body: JSON) -> int:
    count = body.get("count", 1)
    if type(count) is not int or not 1 <= count <= 1000:
        raise InvalidValue("count", "must be a whole number from 1 to 1000")
    return count


def how(body: JSON) -> JSON:
    """on_conflict and dry_run."""
    dry_run = body.get("dry_run", False)
    if type(dry_run) is not bool:
        raise InvalidValue("dry_run", "must be true or false")
    on_conflict = body.get("on_conflict", "stop")
    if on_conflict not in commands.ON_CONFLICT:
        raise InvalidValue("on_conflict", f"must be one of {', '.join(commands.ON_CONFLICT)}")
    return {"on_conflict": on_conflict, "dry_run": dry_run}


def undone_answer(undone: Undone) -> Answer:
    """What was done, or would be; people by today's usernames."""
    state, report = undone.state, dict(undone.report)
    obstacles = report["in_the_way"]
    names = names_of({uuid_of(item["by"]) for item in obstacles if item["by"]}) if obstacles else {}
    usernames = {str(person): name for person, name in names.items()}
    report["in_the_way"] = [item | {"by": usernames.get(item["by"], item["by"])} for item in obstacles]
    done = {"version": state.version, "offset": undone.offset, "label_status": state.status, **report}
    return answer(done, headers=headers_of(state, undone.offset))
