"""Who used a release, and where all of it came from."""

from __future__ import annotations

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import body_of, intent_of
from labeling.api.schemas.forms import listed
from labeling.api.schemas.parameters import query
from labeling.api.views import Answer, View
from labeling.queries.labels import names_of
from releases import commands, lineage, queries
from releases.api.schemas.trainings import (
    LINEAGE,
    NEW_TRAINING,
    TRAINING,
    TRAINING_LINEAGE,
    TRAINING_OF_RELEASE,
)


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


class DatasetTrainingsView(View):
    """The trainings of a dataset."""

    @documented(
        "trainings",
        "read",
        {200: Reply(listed(TRAINING_OF_RELEASE))},
        parameters=(
            query("model", "Only trainings of this model, by its whole name.", example="detector"),
            query("version", "Only of this version of it.", example="3.1"),
        ),
    )
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """All trainings that were registered with a release of the dataset, the first one first, each with its release:
        which data a model was trained on."""
        said = request.query_params
        found = queries.trainings_in(
            self.dataset(owner, name).id, model=said.get("model", ""), version=said.get("version", "")
        )
        names = names_of({row.created_by for row, _ in found})
        return answer([lineage.rendered_with_release(row, release, names) for row, release in found])


class TrainingView(View):
    """One training."""

    @documented("training_read", "read", {200: Reply(TRAINING_LINEAGE)})
    def get(self, request: Request, owner: str, name: str, training: str) -> Answer:
        """A training, its release, and the lineage of that: from a model back to the events that made its data, which
        are those of the dataset up to the release's offset."""
        row, found = queries.training_in(self.dataset(owner, name).id, training)
        said = lineage.rendered_with_release(row, found, names_of({row.created_by}))
        return answer(said | {"lineage": lineage.lineage(found, names_of=names_of)})


class LineageView(View):
    """The lineage of a release."""

    @documented("release_lineage", "read", {200: Reply(LINEAGE)})
    def get(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """Sources, imports, model runs, edits, the release, and the trainings, exports and releases made of it."""
        found = queries.any_release(self.dataset(owner, name).id, release)
        return answer(lineage.lineage(found, names_of=names_of))
