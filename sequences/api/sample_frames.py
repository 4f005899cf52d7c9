"""The frames of a sample, changed by a list of edits; its labels and issues go along."""

from __future__ import annotations

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.labels import EDIT_FIELDS, sample_id
from labeling.api.requests import LABEL_BYTES, body_of, intent_of, seen_of
from labeling.api.schemas.parameters import DATASET_OFFSET, ETAG, IF_MATCH
from labeling.api.views import Answer, View
from labeling.errors import InvalidValue
from sequences import commands
from sequences.api import frame_schemas as schemas


class SampleFramesView(View):
    """The frames of a sample that is a sequence."""

    most_bytes = LABEL_BYTES

    @documented(
        "sample_frames_edit",
        "change",
        {200: Reply(schemas.FRAMES_EDITED, (ETAG, DATASET_OFFSET))},
        body=schemas.FRAME_EDITS,
        parameters=(IF_MATCH,),
        appends=True,
        refusals=("refused", "storage_unavailable"),
    )
    def post(self, request: Request, sample: str) -> Answer:
        """Append, insert, move and remove frames and set their times: all or none. Keyframes go with their frames; what
        lies between them is computed anew, and every frame goes on showing the objects that it showed. With If-Match
        the numbers are those of the sample's version, and refused where its frames were changed since."""
        body = body_of(request)
        for key in body:
            if key not in EDIT_FIELDS:
                raise InvalidValue("body", f"may hold {', '.join(sorted(EDIT_FIELDS))}")
        if "edits" not in body:
            raise InvalidValue("edits", "is required")
        done = commands.change_frames(
            intent=intent_of(request, body), sample=sample_id(sample), edits=body["edits"], seen=seen_of(request)
        )
        headers = {"ETag": f'"{done.version}"', "Dataset-Offset": str(done.offset)}
        found = {"version": done.version, "offset": done.offset, "edits": done.edits, "labels": done.labels}
        return answer(found, headers=headers)
