"""Who used a release, and where all of it came from."""

from __future__ import annotations

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import body_of, intent_of
from labeling.api.schemas.forms import listed
from labeling.api.views import Answer, View
from labeling.queries.labels import names_of
from releases import commands, lineage, queries
from releases.api.training_schemas import LINEAGE, NEW_TRAINING, TRAINING


class TrainingsView(View):
    """The trainings of a release."""

    writes = "label"

    @documented("release_trainings", "read", {200: Reply(listed(TRAINING))})
    def get(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """All trainings that were registered with the release, the first one first."""
        found = queries.any_release(self.dataset(owner, name).id, release)
        rows = queries.trainings_of(found.release.id)
        names = names_of({row.created_by for row in rows})
        return answer([lineage.rendered_training(row, names) for row in rows])

    @documented(
        "release_training_add",
        "train",
        {201: Reply(TRAINING)},
        body=NEW_TRAINING,
        appends=True,
        refusals=("refused",),
    )
    def post(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """Register a training that used the release, withdrawn or not, so that the model's lineage leads to it."""
        seen = self.dataset(owner, name)
        found = queries.any_release(seen.id, release)
        body = body_of(request)
        made = commands.register_training(intent=intent_of(request), release=found.release, said=body)
        row = queries.training(made)
        return answer(lineage.rendered_training(row, names_of({row.created_by})), status=201)


class LineageView(View):
    """The lineage of a release."""

    @documented("release_lineage", "read", {200: Reply(LINEAGE)})
    def get(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """Sources, imports, model runs, edits, the release, and the trainings, exports and releases made of it."""
        found = queries.any_release(self.dataset(owner, name).id, release)
        return answer(lineage.lineage(found, names_of=names_of))
