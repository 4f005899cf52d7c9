"""Two people edit the same labels at once, through the edits endpoint, each with the version that they saw."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from config.demo.server import Answer, Refused, Server

Json = dict[str, Any]


def polygons_by_id(label: Json) -> dict[int, Json]:
    """The polygons of a label as the API returned it, by their visible id."""
    annotations = label["attributes"]["annotations"]
    return {a["id"]: a for a in annotations if a["type"] == "polygon"}


def moved(annotation: Json, step_px: float) -> Json:
    """The edit that moves a polygon to the right by `step_px`."""
    ring = [[x + step_px, y] for x, y in annotation["points"]]
    return {"op": "set_geometry", "annotation": annotation["id"], "geometry": {"type": "polygon", "parts": [[ring]]}}


def marked(annotation: Json, name: str, values: Sequence[Any]) -> Json:
    """The edit that gives an attribute the first of `values` that it does not have now."""
    attributes = annotation.get("attributes") or {}
    value = next(value for value in values if attributes.get(name) != value)
    return {"op": "set_attributes", "annotation": annotation["id"], "attributes": {**attributes, name: value}}


def send_edits(server: Server, label: str, version: int, edits: Sequence[Json], reason: str) -> Answer:
    """Send edits of the label at the version that the person saw, as one command; the answer may be a conflict.

    Raises Refused for any other refusal."""
    headers = {"If-Match": f'"{version}"', "Idempotency-Key": str(uuid.uuid4())}
    body = {"edits": list(edits), "gesture": str(uuid.uuid4()), "reason": reason}
    answer = server.send("POST", f"{label}edits/", body, headers)
    if answer.status != 200 and not (answer.status == 409 and answer.json["code"] == "conflict"):
        raise Refused("POST", f"{label}edits/", answer)
    return answer


def edit_at_once(
    people: Mapping[str, Server], label: str, version: int, edits: Mapping[str, Sequence[Json]], reason: str
) -> dict[str, Answer]:
    """Let everyone send their own edits of the same version at the same moment; their answers, by name."""
    start = threading.Barrier(len(people))

    def one(name: str) -> Answer:
        start.wait(timeout=30)
        return send_edits(people[name], label, version, edits[name], reason)

    with ThreadPoolExecutor(len(people)) as threads:
        running = {name: threads.submit(one, name) for name in people}
        return {name: future.result() for name, future in running.items()}


def missed_events(server: Server, refusal: Answer) -> list[Json]:
    """What happened since the version that a refused person saw, from the address in the refusal. Raises Refused."""
    events: list[Json] = server.follow(refusal.json["missed"]).json
    return events
