"""A6, A7 and A10 over a scripted history, whose answers are known."""

from __future__ import annotations

import json
import uuid
from typing import Any

from labeling.audit.asking import ask
from labeling.audit.catalogue import reports
from labeling.audit.report import Question
from labeling.commands import security
from labeling.log import store
from releases.commands import register_training

JSON = dict[str, Any]
MODEL = {"kind": "model", "model": "yolo", "version": "8", "run": "r1"}


def rows(story: Any, name: str, part: str, *, at: int | None = None, **options: str) -> list[JSON]:
    asked = ask(reports("dataset")[name], story.id, Question(options=options), at=at)
    return [cells for of, cells in asked.rows if of == part]


def status(verb: str) -> JSON:
    return {"op": "set_status", "verb": verb}


def test_releases_plug_their_reports_in():
    assert {"A6", "A7", "A10"} <= {item.code for item in reports("dataset").values()}


def test_the_dossier_tells_what_was_frozen_and_who_had_approved_it(story, release, key):
    story.add(story.ben)
    story.edit(story.ben, status("submit"))
    story.edit(story.ana, status("accept"))
    story.add(story.ben, sample=1)
    built = release(story.id, story.ana, "v1", "the first")
    story.add(story.ben, 2, sample=1)
    (row,) = rows(story, "dossier", "releases")
    assert (row["name"], row["description"], row["cut_by"]) == ("v1", "the first", str(story.ana.id))
    assert row["chain"] == store.chain_at(story.id, row["at_offset"]).hex() == built.job.chain
    assert (row["identity"], row["sha256"], row["signed_with"]) == (built.job.identity, built.job.sha256, key)
    assert (row["samples"], row["labels_left_out"], row["withdrawn"]) == (2, built.job.labels_left_out, False)
    counts = {item["status"]: (item["labels"], item["objects"]) for item in rows(story, "dossier", "statuses")}
    assert counts["REVIEWED"] == (1, 1) and sum(labels for labels, _ in counts.values()) == 2
    assert sum(objects for _, objects in counts.values()) == 2  # what came behind the release is not in it
    assert rows(story, "dossier", "approved") == [
        {"release": str(built.row.id), "person": str(story.ana.id), "labels": 1}
    ]
    assert rows(story, "dossier", "releases", release="v2") == []


def test_the_difference_from_release_to_release_names_events_and_people(story, release):
    story.add(story.ben)
    release(story.id, story.ana, "v1")
    story.add(story.ben, 2)
    (offset,) = (item.offset for item in store.read(story.id, types=["AnnotationAdded"])[-1:])
    release(story.id, story.ana, "v2")
    (compared,) = rows(story, "difference", "compared")
    assert (compared["base"], compared["release"]) == ("v1", "v2")
    (added,) = [row for row in rows(story, "difference", "changes") if row["change"] == "added"]
    assert added["what"].startswith("annotation:") and json.loads(added["after"])["category_id"] == 2
    assert offset in json.loads(added["events"]) and json.loads(added["people"]) == [str(story.ben.id)]
    totals = {(row["kind"], row["change"]): row["count"] for row in rows(story, "difference", "totals")}
    assert totals["annotation", "added"] == 1
    (first,) = rows(story, "difference", "compared", release="v1")
    assert (first["base"], first["base_offset"]) == ("", 0)
    (back,) = [row for row in rows(story, "difference", "changes", release="v1", base="v2") if row["before"]]
    assert (back["what"], back["change"]) == (added["what"], "removed")


def test_without_a_release_there_is_no_difference(story):
    assert rows(story, "difference", "compared") == []


def test_the_lineage_leads_from_sources_over_models_to_who_took_it_away(story, release):
    story.add(story.ben, origin=MODEL)
    story.add(story.ben)
    built = release(story.id, story.ana, "v1")
    security.downloaded(
        what="release",
        id=built.row.id,
        dataset=story.id,
        sha256="00",
        source=security.Source("10.0.0.1"),
        person=story.ben.id,
    )
    elsewhere = uuid.uuid4()
    security.downloaded(
        what="release", id=elsewhere, dataset=elsewhere, sha256="00", source=security.Source("1"), person=story.ben.id
    )
    (added,) = rows(story, "lineage", "samples")
    assert (added["author"], added["samples"]) == (str(story.ana.id), 2)
    (model,) = rows(story, "lineage", "models")
    assert (model["made_by"], model["model"], model["run"], model["objects"]) == ("model", "yolo", "r1", 1)
    (edits,) = rows(story, "lineage", "edits")
    assert edits["objects"] == 2
    (cut,) = rows(story, "lineage", "releases")
    assert (cut["name"], cut["identity"]) == ("v1", built.job.identity)
    said = {"name": "night run", "model": "resnet", "version": "2"}
    register_training(intent=story.intent(story.ana), release=built.row, said=said)
    (taken, trained) = rows(story, "lineage", "consumers")
    assert (trained["type"], trained["of"]) == ("TrainingRegistered", str(built.row.id))
    assert json.loads(trained["data"])["model"] == "resnet"
    assert (taken["of"], taken["author"]) == (str(built.row.id), str(story.ben.id))
