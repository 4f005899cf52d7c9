"""The main job in front of the user: load, label together, cut a release, edit on, verify; all of it over HTTP."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.demo.console import Console
from config.demo.datasets import demo_datasets
from config.demo.differences import Check, change_label, checked_outside, show_difference
from config.demo.editing import edit_at_once, marked, missed_events, moved, polygons_by_id, send_edits
from config.demo.keyframes import show_keyframes
from config.demo.loading import Loaded, load, steps
from config.demo.masks import show_masks
from config.demo.server import Answer, DemoFailed, Server
from config.demo.work import show_work

OWNER, LABELER = "ana", "ben"
CONTESTED = 3
RELEASE_TIMEOUT_S = 120
POLL_S = 0.1
COUNTED = {"vector": "polygons", "segmentation-bitmap": "segments", "image-vector-sequence": "keyframes"}


@dataclass(frozen=True, slots=True)
class Release:
    """A release that succeeded: its name, the offset it was cut at, and its file."""

    name: str
    offset: int
    url: str
    data: bytes
    seconds: float

    @property
    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the job leaves behind, for the summary."""

    offsets: Mapping[str, int]
    release: Release
    exported: Path
    difference: str
    seconds: float


def run(
    console: Console,
    people: Mapping[str, Server],
    exports: Path,
    verify: Callable[[], str],
    check: Check = checked_outside,
) -> Outcome:
    """Do the whole job, telling `console` about it; the exported file goes into the directory `exports`.

    Raises:
        Refused: the server refused something that the job needs.
        DemoFailed: an edit was not rebased, a conflict not refused, a release moved or is not what others read.
    """
    began = time.monotonic()
    loaded = show_loading(console, people[OWNER])
    terrain = loaded[0]
    releases = people[OWNER].call("GET", f"{terrain.path}/releases/").json
    number = 1 + max((int(r["name"].removeprefix("demo-")) for r in releases if is_ours(r["name"])), default=0)
    step_px = 1.5 if number % 2 else -1.5
    offset = show_two_people(console, people, terrain, step_px)
    show_masks(console, people[OWNER], terrain, loaded[1], exports)
    show_keyframes(console, people[OWNER], loaded[-1], exports)
    show_work(console, people[OWNER], terrain.path, terrain.label_path("jeeps.png"), CONTESTED)
    release = show_release(console, people, terrain, f"demo-{number}", offset, step_px)
    offset = change_label(people[LABELER], terrain.label_path("jeeps.png"))
    later = cut(people[OWNER], terrain, f"{release.name}-later", offset)
    difference = show_difference(console, people[OWNER], terrain.path, (release.name, later.name), exports, check)
    exported = save(release.data, exports / f"{OWNER}-{terrain.dataset.name}-{release.name}.json")
    console.heading("The log is verified: everything is computed again and compared")
    for said in verify().strip().splitlines():
        console.line(f"  {said}")
    offsets = {
        one.dataset.name: people[OWNER].call("GET", one.label_path(next(iter(one.samples)))).offset for one in loaded
    }
    return Outcome(offsets, release, exported, difference, time.monotonic() - began)


def is_ours(release_name: str) -> bool:
    """Whether a release is one that an earlier run of the demo cut."""
    return release_name.startswith("demo-") and release_name.removeprefix("demo-").isdecimal()


# Loading


def show_loading(console: Console, owner: Server) -> tuple[Loaded, ...]:
    """Load the datasets behind a progress bar, and say what is there."""
    console.heading("Real images and labels go in through the API")
    datasets = demo_datasets()
    with console.progress(sum(steps(dataset) for dataset in datasets), "files and labels") as bar:
        loaded = tuple(load(owner, OWNER, dataset, LABELER, bar.advance) for dataset in datasets)
    for one in loaded:
        pictures = sum(len(sample.pictures) for sample in one.dataset.samples)
        objects = sum(
            len(sample.label.get("annotations", ()))
            + sum("frame" in e for e in sample.edits if "remove" not in e["op"])
            for sample in one.dataset.samples
        )
        what = f"{pictures:>3} {'frames' if 'sequence' in one.dataset.task_type else 'images'}"
        counted = f"{objects:>3} {COUNTED[one.dataset.task_type]}"
        state = "already there" if one.found else "loaded"
        console.row(one.dataset.name, f"{what:<12}{counted:<14}{state}, log at offset {one.offset}")
    return loaded


# Two people


def show_two_people(console: Console, people: Mapping[str, Server], terrain: Loaded, step_px: float) -> int:
    """Both edit both terrain samples at once, other objects first and then the same one; the log's offset after it."""
    console.heading("Ana and Ben edit the same images at once")
    for sample, (objects, name, values, words) in {
        "jeeps.png": ("vehicles", "lights", ("on", "off"), "notes the lights of"),
        "walkers.png": ("people", "occluded", (True, False), "marks the occlusion of"),
    }.items():
        label = terrain.label_path(sample)
        seen = people[OWNER].call("GET", label)
        polygons = polygons_by_id(seen.json)
        odd, even = [i for i in polygons if i % 2], [i for i in polygons if not i % 2]
        edits = {
            OWNER: [moved(polygons[i], step_px) for i in odd],
            LABELER: [marked(polygons[i], name, values) for i in even],
        }
        told = {OWNER: f"moves {objects} {listed(odd)}", LABELER: f"{words} {objects} {listed(even)}"}
        answers = edit_at_once(people, label, seen.version, edits, "demo: different objects at once")
        console.row(sample, f"both saw version {seen.version} and change different objects")
        for person in by_version(answers):
            answer = answers[person]
            if answer.status != 200:
                raise DemoFailed(f"{person}'s edit of other objects was refused: {answer.detail}")
            rebased = answer.json["rebased"]
            mark = console.styled("✓ rebased", "green") if rebased else console.styled("✓", "green")
            console.row("", f"{person}  {told[person]:<42}→ version {answer.version} {mark}")
        if sorted(answer.json["rebased"] for answer in answers.values()) != [False, True]:
            raise DemoFailed("two edits of one version were accepted, but not exactly one of them was rebased")
    return show_conflict(console, people, terrain.label_path("jeeps.png"), step_px)


def show_conflict(console: Console, people: Mapping[str, Server], label: str, step_px: float) -> int:
    """Both move the same vehicle: one is accepted, one refused and told what it missed; the log's offset after it."""
    seen = people[OWNER].call("GET", label)
    vehicle = polygons_by_id(seen.json)[CONTESTED]
    edits = {OWNER: [moved(vehicle, 2 * step_px)], LABELER: [moved(vehicle, -2 * step_px)]}
    answers = edit_at_once(people, label, seen.version, edits, "demo: the same object at once")
    if sorted(answer.status for answer in answers.values()) != [200, 409]:
        statuses = ", ".join(f"{person} {answer.status}" for person, answer in answers.items())
        raise DemoFailed(f"one of two edits of the same object should be refused with 409; the answers were {statuses}")
    first, second = sorted(answers, key=lambda person: answers[person].status)
    console.row("jeeps.png", f"both saw version {seen.version} and move vehicle {CONTESTED}")
    accepted = answers[first]
    console.row("", f"{first}  {'moves it':<42}→ version {accepted.version} {console.styled('✓', 'green')}")
    missed = missed_events(people[second], answers[second])
    if not missed:
        raise DemoFailed("the refusal says that nothing was missed")
    told = ", ".join(f"{event['type']} by {event['author']}" for event in missed)
    console.row("", f"{second}  {'is refused, nothing is written':<42}→ 409 {console.styled('✗ conflict', 'yellow')}")
    console.row("", f"{' ' * len(second)}  and reads what was missed: {told}")
    return accepted.offset


def by_version(answers: Mapping[str, Answer]) -> list[str]:
    """The people in the order in which their edits were accepted; who was refused comes last."""
    return sorted(answers, key=lambda name: answers[name].version if answers[name].status == 200 else math.inf)


def listed(numbers: list[int]) -> str:
    """1, 3 and 5."""
    words = [str(number) for number in numbers]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


# The release


def show_release(
    console: Console, people: Mapping[str, Server], terrain: Loaded, name: str, offset: int, step_px: float
) -> Release:
    """Cut a release, edit on, and show that the release stays what it was."""
    console.heading("A release is cut, and the work goes on")
    ana = people[OWNER]
    release = cut(ana, terrain, name, offset)
    size = f"{len(release.data) / 1000:.1f} kB"
    console.row(
        name, f"cut at offset {offset}, built in {release.seconds:.1f} s: {size}, sha256 {release.digest[:16]}…"
    )
    label = terrain.label_path("jeeps.png")
    seen = ana.call("GET", label)
    vehicle = polygons_by_id(seen.json)[1]
    answer = send_edits(ana, label, seen.version, [moved(vehicle, -2 * step_px)], "demo: after the release")
    if answer.status != 200:
        raise DemoFailed(f"the edit after the release was refused: {answer.detail}")
    live = polygons_by_id(ana.call("GET", label).json)[1]["points"][0][0]
    frozen = first_x(release.data, "jeeps.png", 1)
    console.row("edit on", f"ana moves vehicle 1 of jeeps.png, the log is at offset {answer.offset}")
    again = ana.call("GET", f"{terrain.path}/releases/{name}/").json
    data = ana.download(again["attributes"]["url"])
    if data != release.data:
        raise DemoFailed(f"the release moved: sha256 {hashlib.sha256(data).hexdigest()} after the edit")
    if frozen == live or frozen != vehicle["points"][0][0]:
        raise DemoFailed("the release does not hold the label as it was when it was cut")
    console.row(name, f"the same bytes as before the edit {console.styled('✓', 'green')}")
    console.row("", f"vehicle 1 begins at x = {frozen:.2f} in the release, and at x = {live:.2f} now")
    return release


def cut(ana: Server, terrain: Loaded, name: str, offset: int) -> Release:
    """Cut a release and wait until its file is built. Raises DemoFailed when that fails or takes too long."""
    began = time.monotonic()
    body = {"name": name, "description": f"Cut by the demo at offset {offset}"}
    release = ana.call("POST", f"{terrain.path}/releases/", body).json
    while release["status"] == "PENDING":
        if time.monotonic() - began > RELEASE_TIMEOUT_S:
            raise DemoFailed(f"release {name} is still pending after {RELEASE_TIMEOUT_S} s; do the workers run?")
        time.sleep(POLL_S)
        release = ana.call("GET", f"{terrain.path}/releases/{name}/").json
    if release["status"] != "SUCCEEDED":
        raise DemoFailed(f"release {name} ended as {release['status']}: {json.dumps(release['attributes'])}")
    url = release["attributes"]["url"]
    return Release(name, offset, url, ana.download(url), time.monotonic() - began)


def first_x(data: bytes, sample_name: str, annotation_id: int) -> float:
    """The x of an annotation's first point in a release file."""
    samples: dict[str, Any] = {sample["name"]: sample for sample in json.loads(data)["dataset"]["samples"]}
    annotations = samples[sample_name]["labels"]["ground-truth"]["attributes"]["annotations"]
    points = next(annotation["points"] for annotation in annotations if annotation["id"] == annotation_id)
    return float(points[0][0])


def save(data: bytes, path: Path) -> Path:
    """Write the file whole or not at all."""
    fresh = path.with_suffix(".part")
    fresh.write_bytes(data)
    os.replace(fresh, path)
    return path
