"""The datasheet of a dataset: what people say of it; the audit report A16 puts beside it what the log says."""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import at_of, body_of, intent_of
from labeling.api.schemas.datasheets import DATASHEET, DATASHEET_CHANGES
from labeling.api.schemas.parameters import AT, DATASET_OFFSET
from labeling.api.views import Answer, View
from labeling.commands import datasheets as commands
from labeling.log import store
from labeling.queries.datasheets import datasheet_of, text_of
from labeling.queries.labels import names_of
from labeling.rules.datasheet import FIELDS

JSON = dict[str, Any]


class DatasheetView(View):
    """A dataset's datasheet."""

    @documented("datasheet_read", "read", {200: Reply(DATASHEET, (DATASET_OFFSET,))}, parameters=(AT,))
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """What people said of the dataset, field by field, and which required fields are missing. The audit report
        `datasheet` has it with what the log says of composition, collection, annotation and distribution."""
        found = self.dataset(owner, name)
        past = self.past(found) if at_of(request) is not None else None
        offset = store.head(found.id) if past is None else past.offset
        return answer(rendered(found.id, offset), headers={"Dataset-Offset": str(offset)})

    @documented("datasheet_change", "change", {200: Reply(DATASHEET)}, body=DATASHEET_CHANGES, appends=True)
    def patch(self, request: Request, owner: str, name: str) -> Answer:
        """Say something in some fields; null or an empty text takes one away. Each is an event of the log."""
        found = self.dataset(owner, name, "change")
        commands.set_datasheet(intent=intent_of(request), dataset=found.id, changes=body_of(request))
        return answer(rendered(found.id, store.head(found.id)))


def rendered(dataset: uuid.UUID, offset: int) -> JSON:
    """The datasheet at an offset; people by today's names."""
    said = datasheet_of(dataset, up_to=offset)
    names = names_of({event.intent.author for event in said.values()}) if said else {}
    fields = []
    for name, field in FIELDS.items():
        event = said.get(name)
        author = None if event is None else event.intent.author
        fields.append(
            {
                "field": name,
                "section": field.section,
                "asks": field.asks,
                "required": field.required,
                "text": None if event is None else text_of(event, name),
                "set_by": None if author is None else names.get(author, str(author)),
                "set_at": None if event is None else event.recorded_at,
                "offset": None if event is None else event.offset,
            }
        )
    return {
        "fields": fields,
        "missing": [name for name, field in FIELDS.items() if field.required and name not in said],
    }
