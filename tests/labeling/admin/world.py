"""What the admin's tests work in: an installation with something of everything in it."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from labeling.commands import assets, datasets, issues, labels, organizations, people, samples
from labeling.log import store
from labeling.log.event import Event, Intent
from labeling.models import ApiKey, Asset, Label, LabelSet, Person
from labeling.rules.label_ids import label_stream
from labeling.texts import encrypt


def png(colour: tuple[int, int, int] = (90, 120, 90), size: tuple[int, int] = (64, 48)) -> bytes:
    """A picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def upload(owner: Person, data: bytes, filename: str = "street.png") -> Asset:
    """A file that was uploaded."""
    asset = assets.plan_asset(owner=owner.id, filename=filename)
    return assets.store_asset(asset, ContentFile(data), content_type="image/png")


def add_sample(dataset: uuid.UUID, author: Person, name: str, attributes: dict[str, Any]) -> uuid.UUID:
    item = samples.checked_sample({"name": name, "attributes": attributes})
    intent = Intent(author=author.id)
    return samples.add_samples(intent=intent, dataset=dataset, items=[item], keep_existing=False)[0]


def logged_in(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


@dataclass
class World:
    """A dataset of edda, its only admin. Bodo labels in it and may not open the admin; anke runs the installation."""

    anke: Person
    edda: Person
    bodo: Person
    maja: Person  #: may open the admin, and is a member of nothing
    dataset: uuid.UUID
    sample: uuid.UUID
    label: Label
    predictions: LabelSet
    key: ApiKey
    issue: uuid.UUID  #: raised by bodo, open
    organization: Person  #: edda is its administrator, and nobody else belongs to it
    admin: Client
    clients: dict[str, Client] = field(default_factory=dict)

    @property
    def stream(self) -> str:
        return label_stream(self.sample, self.label.label_set_id)

    def listed(self, page: str, **query: Any) -> set[Any]:
        """The ids of the rows that a list shows to who runs the installation."""
        return {row.pk for row in self.admin.get(reverse(page), query).context["cl"].result_list}

    def events(self, log: uuid.UUID | None = None) -> list[Event]:
        return store.read(log or self.dataset)

    def new_events(self, act: Callable[[], Any], log: uuid.UUID | None = None) -> list[Event]:
        """The events that `act` appended."""
        head = store.head(log or self.dataset)
        act()
        return store.read(log or self.dataset, after=head)


CATEGORIES = {"categories": [{"id": 1, "name": "car", "color": [200, 30, 30]}, {"id": 2, "name": "tree"}]}


def make_world(prefix: str = "") -> World:
    """Make all of it; the usernames begin with `prefix`."""
    by = people.operator("test")
    anke = people.add_person(intent=by, username=f"{prefix}anke", superuser=True)
    edda = people.add_person(intent=by, username=f"{prefix}edda", staff=True)
    bodo = people.add_person(intent=by, username=f"{prefix}bodo")
    maja = people.add_person(intent=by, username=f"{prefix}maja", staff=True)
    dataset = datasets.create_dataset(
        intent=Intent(author=edda.id),
        owner=edda.id,
        name="street",
        task_type="vector",
        task_attributes=CATEGORIES,
        changes={"description": "A street"},
    )
    datasets.add_member(intent=Intent(author=edda.id), dataset=dataset, person=bodo.id, role="labeler")
    datasets.add_label_set(intent=Intent(author=edda.id), dataset=dataset, name="yolo", description="by night")
    sample = add_sample(dataset, edda, "one.png", {"image": {"url": assets.url_of(upload(edda, png()))}})
    labels.edit_label(
        intent=Intent(author=bodo.id, tool="pencil", reason=encrypt("it was hidden", person=bodo.id)),
        sample=sample,
        label_set="ground-truth",
        edits=[
            {"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[8, 8], [40, 32]]}},
            {"op": "add", "category_id": 2, "geometry": {"type": "point", "points": [[50, 20]]}},
        ],
    )
    key, _ = people.create_key(intent=by, person=edda, name="notebook")
    issue = issues.open_issue(
        intent=Intent(author=bodo.id),
        sample=sample,
        fields=issues.checked_issue(
            {"description": "The car is cut off", "anchor": {"type": "track", "trackNumber": 1}}
        ),
    )
    organization = people.add_person(intent=by, username=f"{prefix}guild", kind="organization")
    organizations.add_organization_member(intent=by, organization=organization.id, person=edda, role="administrator")
    return World(
        anke=anke,
        edda=edda,
        bodo=bodo,
        maja=maja,
        dataset=dataset,
        sample=sample,
        label=Label.objects.get(sample_id=sample),
        predictions=LabelSet.objects.get(dataset_id=dataset, name="yolo"),
        key=key,
        issue=issue,
        organization=organization,
        admin=logged_in(anke),
        clients={"edda": logged_in(edda), "maja": logged_in(maja)},
    )
