"""The guideline of a dataset, version by version, and what was made under each."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import at_of, body_of, intent_of, number_of
from labeling.api.schemas.forms import listed
from labeling.api.schemas.guidelines import GUIDELINE, MADE, NEW_GUIDELINE
from labeling.api.schemas.parameters import AFTER, AT, DATASET_OFFSET, LIMIT
from labeling.api.views import Answer, View
from labeling.commands import guidelines as commands
from labeling.errors import NotFound
from labeling.log import store
from labeling.models import LabelSet
from labeling.queries.guidelines import Guideline, guidelines_of, made_under
from labeling.queries.labels import names_of

JSON = dict[str, Any]


def rendered(versions: list[Guideline]) -> list[JSON]:
    """Versions as the API shows them; people by today's names."""
    names = names_of({item.author for item in versions}) if versions else {}
    return [
        {
            "version": item.version,
            "text": item.text,
            "url": item.url,
            "offset": item.offset,
            "created_by": names.get(item.author, str(item.author)),
            "created_at": item.recorded_at,
        }
        for item in versions
    ]


class GuidelinesView(View):
    """The versions of a dataset's guideline."""

    @documented("guidelines", "read", {200: Reply(listed(GUIDELINE), (DATASET_OFFSET,))}, parameters=(AT,))
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """All versions, the first one first; the last is in force. A tool that shows it sends `Dataset-Offset` back as
        `Seen-Offset`, so that each event knows what its author was told."""
        found = self.dataset(owner, name)
        past = self.past(found) if at_of(request) is not None else None
        offset = store.head(found.id) if past is None else past.offset
        return answer(rendered(guidelines_of(found.id, up_to=offset)), headers={"Dataset-Offset": str(offset)})

    @documented(
        "guideline_add",
        "change",
        {201: Reply(GUIDELINE)},
        body=NEW_GUIDELINE,
        appends=True,
        refusals=("storage_unavailable",),
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Put a new version in force: Markdown, or a file that was uploaded here."""
        found = self.dataset(owner, name, "change")
        body = body_of(request)
        version = commands.set_guideline(
            intent=intent_of(request), dataset=found.id, text=body.get("text"), url=body.get("url")
        )
        return answer(rendered(guidelines_of(found.id)[version - 1 : version])[0], status=201)


class MadeUnderView(View):
    """What was made under a version of the guideline."""

    @documented(
        "guideline_objects",
        "history",
        {200: Reply(MADE, (DATASET_OFFSET,))},
        parameters=(AFTER, LIMIT),
    )
    def get(self, request: Request, owner: str, name: str, guideline: str) -> Answer:
        """The objects that were added by people who saw this version (0: before the first), oldest first; also those
        that are gone by now."""
        found = self.dataset(owner, name, "history")
        if not guideline.isascii() or not guideline.isdigit() or len(guideline) > 9:
            raise NotFound("The version of the guideline")
        limit = number_of(request, "limit", 100, least=1, most=1000)
        objects, following = made_under(
            found.id, guidelines_of(found.id), int(guideline), after=number_of(request, "after", 0), limit=limit
        )
        names = names_of({item["event"].intent.author for item in objects}) if objects else {}
        sets = dict(LabelSet.objects.filter(dataset_id=found.id).values_list("id", "name")) if objects else {}
        by_text = {str(key): value for key, value in sets.items()}
        shown = [
            {
                "object": item["object"],
                "sample": item["sample"],
                "labelset": by_text.get(item["label_set"], item["label_set"]),
                "offset": item["event"].offset,
                "author": names.get(item["event"].intent.author, str(item["event"].intent.author)),
                "seen_offset": item["event"].intent.seen_offset,
                "recorded_at": item["event"].recorded_at,
            }
            for item in objects
        ]
        return answer({"objects": shown, "next": following}, headers={"Dataset-Offset": str(store.head(found.id))})
