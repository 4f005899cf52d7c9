"""The demo's job against a small model of the server, which can also be told to misbehave."""

from __future__ import annotations

import copy
import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from config.demo import job
from config.demo.console import Console
from config.demo.job import Outcome
from config.demo.server import Answer, DemoFailed, Refused, Server
from config.demo.summary import show_summary
from releases.formats import coco
from sequences.rules.geometries import from_wire, to_wire
from sequences.rules.timeline import Clock, Timeline
from tests.support.records import STREET, written

ADDRESS = "http://server.test"
Json = dict[str, Any]


class Model:
    """What a server holds, in memory: datasets, samples, labels with their versions, releases, files."""

    def __init__(self, **faults: bool) -> None:
        self.faults = faults
        self.lock = threading.Lock()
        self.datasets: dict[str, Json] = {}
        self.releases: dict[str, dict[str, Json]] = {}
        self.labels: dict[str, list[Json]] = {}
        self.touched: dict[str, list[set[int]]] = {}
        self.members: set[str] = set()
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.query = ""
        self.offset = 0

    def answer(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        if self.faults.get("lets_nobody_in"):
            return reply({"detail": "You do not have permission to perform this action."}, 403)
        with self.lock:
            path, self.query = urlsplit(url).path, urlsplit(url).query
            self.asked.append(f"{method} {path}")
            for pattern, handler in ROUTES.items():
                if found := re.fullmatch(pattern, f"{method} {path}"):
                    body = json.loads(data) if data and data.startswith((b"{", b"[")) else None
                    return handler(self, *found.groups(), body=body, headers=headers)
        raise AssertionError(f"the model knows no {method} {path}")

    def dataset(self, name: str, **_: Any) -> Answer:
        known = {"uuid": "cccccccc-cccc-4ccc-8ccc-cccccccccccc"}
        return reply(self.datasets[name] | known) if name in self.datasets else MISSING

    def add_dataset(self, body: Json, **_: Any) -> Answer:
        self.offset += 1
        self.datasets[body["name"]] = {**body, "samples": []}
        self.releases[body["name"]] = {}
        return reply(body, 201)

    def member(self, name: str, person: str, **_: Any) -> Answer:
        return reply({}) if f"{name}/{person}" in self.members else MISSING

    def add_member(self, name: str, body: Json, **_: Any) -> Answer:
        self.members.add(f"{name}/{body['user']}")
        return reply({}, 201)

    def samples(self, name: str, **_: Any) -> Answer:
        return reply(self.datasets[name]["samples"])

    def add_sample(self, name: str, body: Json, **_: Any) -> Answer:
        self.offset += 1
        sample = {"uuid": f"{name}.{body['name']}", **body}
        self.datasets[name]["samples"].append(sample)
        return reply(sample, 201)

    def add_asset(self, body: Json, **_: Any) -> Answer:
        url = f"{ADDRESS}/media/{len(self.files)}/{body['filename']}"
        self.files[urlsplit(url).path] = b""
        return reply({"url": url, "presignedPostFields": {"url": f"{ADDRESS}/upload", "fields": {"key": "k"}}})

    def upload(self, **_: Any) -> Answer:
        return Answer(204, {}, b"")

    def file(self, path: str, **_: Any) -> Answer:
        return Answer(200, {}, self.files[path])

    def label(self, key: str, **_: Any) -> Answer:
        if key not in self.labels:
            return MISSING
        state = copy.deepcopy(self.labels[key][-1])
        for annotation in state.get("annotations", []):
            annotation["uuid"] = f"uuid-{annotation['id']}"
        return self.versioned(key, {"attributes": state})

    def report(self, name: str, **_: Any) -> Answer:
        rows = [{"person": who, "active_s": s, "saves": 1, "signals": 4} for who, s in (("b", 2.25), ("a", 12.5))]
        return reply({"rows": [] if self.faults.get("counts_nobody") else rows, "names": {"a": "ana", "b": "ben"}})

    def history(self, key: str, **_: Any) -> Answer:
        about = self.query.partition("object=")[2].partition("&")[0]
        stream = "label/aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa/bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
        told = [{"offset": n, "sentence": f"ana moved {about} by {n} px", "stream": stream} for n in range(1, 8)]
        return reply([] if self.faults.get("forgets") else told)

    def put_label(self, key: str, body: Json, **_: Any) -> Answer:
        self.offset += 1
        self.labels.setdefault(key, []).append(body["attributes"])
        self.touched.setdefault(key, []).append({a["id"] for a in body["attributes"].get("annotations", [])})
        return self.versioned(key, {})

    def versioned(self, key: str, body: Json) -> Answer:
        offset = str(self.offset)
        return reply(body, 200, {"etag": f'"{len(self.labels[key])}"', "dataset-offset": offset})

    def tracks(self, key: str, **_: Any) -> Answer:
        found = []
        for number, track in self.labels[key][-1]["tracks"].items():
            line = Timeline.of(track)
            found.append({"track_id": number, "presence": line.presence(33), "keyframes": line.keyframes()})
        return reply(found)

    def frames(self, key: str, **_: Any) -> Answer:
        return reply(self.shown(self.labels[key][-1]))

    def shown(self, state: Json) -> list[Json]:
        frames: list[Json] = [{"annotations": []} for _ in range(33)]
        for number, track in state["tracks"].items():
            for item in Timeline.of(track).shown(Clock(33)):
                seen = {"track_id": number, "category_id": track["category_id"], "is_keyframe": item.own}
                frames[item.frame]["annotations"].append(to_wire(item.geometry) | seen)
        if self.faults.get("computes_too_much") and len(self.labels["bunny.out-of-the-den"]) > 1:
            frames[0]["annotations"].pop()
        return frames

    def mask(self, key: str, **_: Any) -> Answer:
        kind = dict(pair.split("=") for pair in self.query.split("&")).get("kind", "instance")
        if "format=json" in self.query:
            segments = [{"id": number, "category_id": 1} for number in ((1, 2) if kind == "instance" else (1,))]
            return reply({"segments": segments})
        values = {"instance": [[1, 2], [0, 0]], "semantic": [[1, 1], [0, 0]]}.get(kind, [[1, 1], [1, 1]])
        if kind == "semantic" and self.faults.get("mistakes_classes"):
            values = [[1, 0], [0, 0]]
        return Answer(200, {}, picture(values))

    def mask_report(self, key: str, **_: Any) -> Answer:
        return reply({"pixels": 4, "unlabeled": 2})

    def overlay(self, key: str, **_: Any) -> Answer:
        return Answer(200, {}, picture([[1, 2], [3, 4]]))

    def edit_tracks(self, key: str, body: Json) -> Answer:
        state = copy.deepcopy(self.labels[key][-1]) if key in self.labels else {"tracks": {}}
        for edit in body["edits"]:
            entries = state["tracks"].get(edit.get("track"), {}).get("entries", {})
            match edit["op"]:
                case "add_track" | "set_keyframe":
                    geometry, _, _ = from_wire(edit, "")
                    if edit["op"] == "add_track":
                        entries = {}
                        state["tracks"][edit["track_id"]] = {"category_id": edit["category_id"], "entries": entries}
                    entries[str(edit["frame"])] = {"geometry": geometry}
                case "move_keyframe":
                    entries[str(edit["to"])] = entries.pop(str(edit["frame"]))
                case "set_remove_keyframe":
                    entries[str(edit["frame"])] = {"absent": True}
        self.offset += len(body["edits"])
        self.labels.setdefault(key, []).append(state)
        state["frames"] = []
        state["frames"] = self.shown(state)
        return self.versioned(key, {})

    def edit(self, key: str, body: Json, headers: Mapping[str, str]) -> Answer:
        if key.startswith("bunny"):
            return self.edit_tracks(key, body)
        seen = int(headers["If-Match"].strip('"'))
        ids = {edit["annotation"] for edit in body["edits"]}
        if any(ids & others for others in self.touched[key][seen:]) and not self.faults.get("never_refuses"):
            missed = f"{ADDRESS}/labels/{key}/ground-truth/events/?after={seen}"
            return reply({"detail": "Changed.", "code": "conflict", "missed": missed}, 409)
        rebased = seen < len(self.labels[key]) and not self.faults.get("never_rebases")
        state = copy.deepcopy(self.labels[key][-1])
        for edit in body["edits"]:
            annotation = next(a for a in state["annotations"] if a["id"] == edit["annotation"])
            if edit["op"] == "set_geometry":
                annotation["points"] = edit["geometry"]["parts"][0][0]
            else:
                annotation["attributes"] = edit["attributes"]
        self.offset += len(ids)
        self.labels[key].append(state)
        self.touched[key].append(ids)
        return self.versioned(key, {"rebased": rebased})

    def events(self, key: str, **_: Any) -> Answer:
        return reply([{"type": "AnnotationGeometrySet", "author": "ana"}])

    def list_releases(self, name: str, **_: Any) -> Answer:
        return reply(list(self.releases[name].values()))

    def cut(self, name: str, body: Json, **_: Any) -> Answer:
        self.offset += 1
        release = {"name": body["name"], "status": "PENDING", "attributes": {}}
        self.releases[name][body["name"]] = release
        return reply(release, 201)

    def diff(self, name: str, **_: Any) -> Answer:
        said = dict(pair.split("=") for pair in self.query.split("&"))
        change = {"people": ["ben"], "words": "vehicle 5: lights from nothing to “on”"}
        same = said["from"] == said["to"] or self.faults.get("finds_no_difference")
        entries = [] if same else [{"sample_name": "jeeps.png", "changes": [change]}]
        if self.faults.get("differs_from_itself"):
            entries = [{"sample_name": "jeeps.png", "changes": [change]}]
        return reply({"entries": entries, "words": "1 object changed", "page": f"{ADDRESS}/admin/difference/"})

    def archive(self, name: str, release_name: str, **_: Any) -> Answer:
        return Answer(200, {}, b"an archive")

    def export(self, name: str, release_name: str, **_: Any) -> Answer:
        if self.faults.get("exports_nothing"):
            return reply({"status": "FAILED", "error": "The disk is full."})
        files, _, _ = written(coco.INSTANCES, [STREET], segmentation="rle")
        document = json.loads(files["annotations/instances_default.json"])
        document["annotations"] = [item for item in document["annotations"] if item["segmentation"]]
        document["annotations"][0]["area"] += bool(self.faults.get("miscounts_pixels"))
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w") as archive:
            archive.writestr("annotations/instances_default.json", json.dumps(document))
        self.files["/media/coco.zip"] = sink.getvalue()
        return reply({"status": "SUCCEEDED", "url": f"{ADDRESS}/media/coco.zip"})

    def release(self, name: str, release_name: str, **_: Any) -> Answer:
        release = self.releases[name][release_name]
        path = f"/media/{release_name}.json"
        if self.faults.get("builds_no_release"):
            release |= {"status": "FAILED", "attributes": {"error": "The disk is full."}}
        elif path not in self.files or self.faults.get("moves_releases"):
            samples = [
                {**s, "labels": {"ground-truth": {"attributes": self.labels[s["uuid"]][-1]}}}
                for s in self.datasets[name]["samples"]
            ]
            self.files[path] = json.dumps({"dataset": {"samples": samples}}).encode()
            release |= {"status": "SUCCEEDED", "attributes": {"url": f"{ADDRESS}{path}"}, "identity": "1d" * 32}
        return reply(release)


def picture(values: list[list[int]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.array(values, dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, json.dumps(body).encode())


MISSING = reply({"detail": "Not found."}, 404)
DATASET = r"/datasets/ana/(\w+)"
LABEL = r"/labels/([\w.-]+)/ground-truth/"
ROUTES: dict[str, Callable[..., Answer]] = {
    f"GET {DATASET}/": Model.dataset,
    "POST /user/datasets/": Model.add_dataset,
    rf"GET {DATASET}/collaborators/(\w+)": Model.member,
    f"POST {DATASET}/collaborators/": Model.add_member,
    f"GET {DATASET}/samples/": Model.samples,
    f"POST {DATASET}/samples/": Model.add_sample,
    "POST /assets/": Model.add_asset,
    "POST /upload": Model.upload,
    f"GET {LABEL}": Model.label,
    f"PUT {LABEL}": Model.put_label,
    f"POST {LABEL}edits/": Model.edit,
    f"GET {LABEL}events/": Model.events,
    f"GET {LABEL}history/": Model.history,
    f"GET {DATASET}/reports/time/": Model.report,
    f"GET {LABEL}mask/": Model.mask,
    f"GET {LABEL}mask/report/": Model.mask_report,
    f"GET {LABEL}overlay/": Model.overlay,
    f"GET {LABEL}tracks/": Model.tracks,
    f"GET {LABEL}frames/": Model.frames,
    f"GET {DATASET}/releases/": Model.list_releases,
    f"POST {DATASET}/releases/": Model.cut,
    rf"GET {DATASET}/releases/([\w-]+)/": Model.release,
    rf"GET {DATASET}/releases/([\w-]+)/archive/": Model.archive,
    rf"GET {DATASET}/releases/([\w-]+)/export/": Model.export,
    f"GET {DATASET}/diff/": Model.diff,
    r"GET (/media/.+)": Model.file,
}


class Modelled(Server):
    """One person's view of the model."""

    def __init__(self, model: Model, key: str) -> None:
        super().__init__(ADDRESS, key)
        self._model = model

    def _ask(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        return self._model.answer(method, url, data, headers)


def run(model: Model, exports: Path, verify: Callable[[], str] = lambda: "3 logs, all sound\n") -> tuple[Outcome, str]:
    stream = io.StringIO()
    people = {"ana": Modelled(model, "a"), "ben": Modelled(model, "b")}

    def check(archive: Path, identity: str) -> bool:
        return archive.read_bytes() == b"an archive" and not model.faults.get("damages_archives")

    return job.run(Console(stream, {}), people, exports, verify, check), stream.getvalue()


def test_the_first_run_loads_edits_releases_and_verifies(tmp_path: Path) -> None:
    model = Model()
    outcome, told = run(model, tmp_path)
    assert set(model.datasets) == {"terrain", "panoptic", "bunny"}
    assert model.members == {"terrain/ben", "panoptic/ben", "bunny/ben"}
    assert model.asked.count("POST /upload") == 2 + 2 * 2 + 33
    assert outcome.exported == tmp_path / "ana-terrain-demo-1.json"
    assert outcome.exported.read_bytes() == outcome.release.data
    made = {"ana-bunny-frames.jpg", "ana-masks.jpg", "ana-terrain-demo-1.json", "masks"}
    made |= {"demo-1.zip", "demo-1-later.zip", "demo-1-later-coco.json"}
    assert {path.name for path in tmp_path.iterdir()} == made
    views = {"jeeps": "instance color", "walkers": "instance color"}
    views |= dict.fromkeys(("ball-game", "riders"), "instance semantic panoptic")
    files = {f"{name}-{view}.png" for name, listed in views.items() for view in listed.split()}
    assert {path.name for path in (tmp_path / "masks").iterdir()} == files
    for words in (
        "* rebased",
        "409 x conflict",
        "AnnotationGeometrySet by ana",
        "demo-1",
        "all sound",
        "hidden at 16 to 25",
        "2 objects, 1 class, 50.0 % of the pixels unlabeled *",
        "demo-1-later    since demo-1 1 object changed",
        "ana             12.5 s at work, 4 signals of it in the log",
        "vehicle 3       7 events; the last 5:",
        "    7  ana moved uuid-3 by 7 px",
        "/change/?object=uuid-3#story",
        "ben: jeeps.png, vehicle 5: lights from nothing to ?on?",
        "demo-1          is release 1d1d1d1d1d1d1d1d~, every byte, says check_release.py without Palimpsest *",
        "reads 6 objects (car, person, sky & <clouds>) in 1 pictures, all 2,",
    ):
        assert words in told


def test_a_second_run_uploads_nothing_again_and_cuts_the_next_release(tmp_path: Path) -> None:
    model = Model()
    first, _ = run(model, tmp_path)
    model.asked.clear()
    second, told = run(model, tmp_path)
    assert not any(asked in model.asked for asked in ("POST /assets/", "POST /user/datasets/"))
    assert not any(asked.startswith("PUT ") for asked in model.asked)
    assert second.release.name == "demo-2"
    assert second.release.data != first.release.data
    assert first.exported.read_bytes() == first.release.data
    assert "already there" in told


def test_an_emptied_label_is_put_back_before_the_two_people_need_it(tmp_path: Path) -> None:
    model = Model()
    run(model, tmp_path)
    model.labels["terrain.jeeps.png"].append({"annotations": []})
    model.touched["terrain.jeeps.png"].append(set())
    model.asked.clear()
    run(model, tmp_path)
    assert [asked for asked in model.asked if asked.startswith("PUT")] == [
        "PUT /labels/terrain.jeeps.png/ground-truth/"
    ]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("never_rebases", "not exactly one of them was rebased"),
        ("never_refuses", "should be refused with 409"),
        ("mistakes_classes", "the classes of jeeps.png do not have the pixels of their instances"),
        ("moves_releases", "the release moved"),
        ("builds_no_release", "The disk is full."),
        ("finds_no_difference", "nothing differs between demo-1 and demo-1-later"),
        ("differs_from_itself", "demo-1-later differs from itself"),
        ("damages_archives", "the archive of demo-1 is not the release 1d1d"),
        ("exports_nothing", "The disk is full."),
        ("miscounts_pixels", "pixels where the release says"),
        ("counts_nobody", "the report of working time tells of nobody"),
        ("forgets", "the log tells nothing of vehicle 3"),
        ("computes_too_much", "a keyframe between 16 and 25 moved, and the frames [0, "),
    ],
)
def test_a_server_that_does_not_do_what_is_shown_fails_the_demo(tmp_path: Path, fault: str, words: str) -> None:
    with pytest.raises(DemoFailed, match=re.escape(words)):
        run(Model(**{fault: True}), tmp_path)
    assert not list(tmp_path.glob("*.json"))


def test_a_refusal_ends_the_job_with_the_servers_words(tmp_path: Path) -> None:
    model = Model(lets_nobody_in=True)
    with pytest.raises(Refused, match="You do not have permission"):
        run(model, tmp_path)


def test_the_summary_shows_a_new_password_once_and_otherwise_says_how_to_get_one(tmp_path: Path) -> None:
    outcome, _ = run(Model(), tmp_path)
    for password, words in (("s3cret-words", "ana, password s3cret-words"), (None, "manage.py changepassword ana")):
        stream = io.StringIO()
        show_summary(Console(stream, {}), outcome, "http://127.0.0.1:8000/", password)
        told = stream.getvalue()
        assert words in told
        assert "http://127.0.0.1:8000/admin/" in told and "http://127.0.0.1:8000/api/docs/" in told
        assert str(outcome.exported) in told and outcome.release.url in told
        assert "what differs    http://server.test/admin/difference/" in told
        assert f"{sum(outcome.offsets.values())} in 3 logs" in told
