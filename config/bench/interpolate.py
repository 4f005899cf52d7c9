"""`bench interpolate`: what it costs to compute what lies between keyframes: the kernels, and a label over HTTP.

The peers are what others do: a Python loop that makes each frame's shape, and `numpy.interp` a coordinate. A target of
20 ns a box is 50 million boxes a second on one core.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from config.bench import Row
from config.bench.processor import processor_ms
from config.bench.server import Client, served, server_processes
from sequences.interpolation.numbers import PER_METRE, PER_PIXEL, PER_QUATERNION, lerp, on_grid, slerp, track_lerp

ROUNDS = 7
TRACKS, FRAMES, STEP = 100, 1000, 10
SEGMENTS = FRAMES // STEP
EDITS = 40


def main() -> list[Row]:
    """The kernels in this process, then a server without workers."""
    rows = kernels()
    with served() as server:
        return rows + over_http(server.client, server.home)


def best_ns(action: Callable[[], Any], count: int) -> float:
    """Nanoseconds of processor time for one of `count`; the best of some rounds, because others disturb."""
    found = []
    action()
    for _ in range(ROUNDS):
        before = time.process_time_ns()
        action()
        found.append((time.process_time_ns() - before) / count)
    return min(found)


def kernels() -> list[Row]:
    """Float64 on one core."""
    chance = np.random.default_rng(5)
    frames = np.arange(0, 10_001, STEP)
    boxes = chance.uniform(0, 2000, (4, len(frames)))
    every = np.arange(10_001)
    ours = best_ns(lambda: track_lerp(frames, boxes, PER_PIXEL), len(every))
    interp = best_ns(lambda: [np.interp(every, frames, row) for row in boxes], len(every))
    loop = best_ns(lambda: looped(frames.tolist(), boxes.T.tolist()), len(every))
    # A track of polygons, then one of cuboids, with a keyframe every 10: all segments at once, as an actor does it.
    weights = np.arange(1, STEP) / STEP
    first, last = chance.uniform(0, 2000, (2, SEGMENTS * 400))
    polygons = best_ns(lambda: lerp(first, last, weights, PER_PIXEL), len(weights) * SEGMENTS * 200)
    rows = chance.uniform(0, 2000, (12, len(frames)))
    of_polygons = best_ns(lambda: [np.interp(every, frames, row) for row in rows], len(every) * 6)
    rings = list(zip(first[:400].reshape(-1, 2).tolist(), last[:400].reshape(-1, 2).tolist(), strict=True))
    looped_polygons = best_ns(lambda: [looped_ring(rings, t) for t in weights.tolist()], len(weights) * 200)
    one, two = chance.normal(size=(2, 4, 10 * SEGMENTS))
    here, there = chance.uniform(0, 100, (2, 60 * SEGMENTS))

    def poses(turns: int) -> None:
        lerp(here[: 6 * turns], there[: 6 * turns], weights, PER_METRE)
        on_grid(slerp(one[:, :turns], two[:, :turns], weights), PER_QUATERNION)

    count = 10 * SEGMENTS * len(weights)
    cuboids = best_ns(lambda: poses(10 * SEGMENTS), count)
    places = (here.reshape(-1, 6).tolist(), there.reshape(-1, 6).tolist())
    pairs = list(zip(*places, one.T.tolist(), two.T.tolist(), strict=True))[:10]
    looped_poses = best_ns(lambda: [looped_pose(*pair, t) for pair in pairs for t in weights.tolist()], 90)
    of_cuboids = best_ns(lambda: [np.interp(every, frames, row) for row in rows], len(every) * 2)
    return [
        Row("boxes of a track, against numpy.interp", "ns/box", ours, interp, 20),
        Row("boxes of a track, against a loop a frame", "ns/box", ours, loop, 20),
        Row("polygons of 200 vertices, against numpy.interp", "ns/vertex", polygons, of_polygons, 2),
        Row("polygons of 200 vertices, against a loop a frame", "ns/vertex", polygons, looped_polygons, 2),
        Row(
            "cuboids, against numpy.interp of place and size alone",
            "ns/pose",
            cuboids,
            of_cuboids,
            100,
        ),
        Row("cuboids (place, size, rotation), against a loop a frame", "ns/pose", cuboids, looped_poses, 100),
    ]


def looped_ring(ring: list[tuple[list[float], list[float]]], t: float) -> list[list[float]]:
    """A polygon at one frame, without arrays."""
    return [[a + (b - a) * t, c + (d - c) * t] for (a, c), (b, d) in ring]


def looped_pose(
    here: list[float], there: list[float], one: list[float], two: list[float], t: float
) -> tuple[list[float], list[float]]:
    """A cuboid at one frame, without arrays."""
    a, b = math.hypot(*one), math.hypot(*two)
    angle = math.acos(max(min(sum(x * y for x, y in zip(one, two, strict=True)) / (a * b), 1.0), -1.0))
    near, far = math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)
    turn = [x / a * near + y / b * far for x, y in zip(one, two, strict=True)]
    return [x + (y - x) * t for x, y in zip(here, there, strict=True)], turn


def looped(frames: list[int], boxes: list[list[float]]) -> list[list[float]]:
    """What a program without arrays does."""
    found = []
    for (a, one), (b, two) in zip(
        zip(frames, boxes, strict=True), zip(frames[1:], boxes[1:], strict=False), strict=False
    ):
        for frame in range(a, b):
            t = (frame - a) / (b - a)
            found.append([x + (y - x) * t for x, y in zip(one, two, strict=True)])
    return found


def over_http(client: Client, home: Path) -> list[Row]:
    """A label of 100 tracks over 1,000 frames with a keyframe every 10, and one with as many shapes in 10,000 frames.

    What the actor does is measured in this process, which has the server's settings and database.
    """
    # Made before the first call, because the server does not wait for long.
    documents = document(TRACKS, FRAMES), document(TRACKS // 10, 10 * FRAMES)
    client.call("POST", "/user/datasets/", json.dumps({"name": "bench", "task_type": "image-vector-sequence"}).encode())
    web, _ = server_processes(home)
    walk = Walk(client, web, TRACKS, FRAMES, documents[0])
    edit = walk.price(walk.move, EDITS)
    ahead = walk.price(walk.all_frames, 1), walk.price(walk.window, 3)
    walk.catch_up()
    recomputed = []
    for _ in range(EDITS // 2):
        walk.move()
        recomputed.append(walk.catch_up())
    whole, window = walk.price(walk.all_frames, 2), walk.price(walk.window, 5)
    long = Walk(client, web, TRACKS // 10, 10 * FRAMES, documents[1])
    long.catch_up()
    long.move()
    again, of_long = long.catch_up(), long.price(long.all_frames, 1)
    return [
        Row("edit of a keyframe of 100 tracks x 1,000 frames: web", "ms CPU", edit, None, 5),
        Row("its frames computed by the actor", "ms CPU", sorted(recomputed)[len(recomputed) // 2], None, 10),
        Row("all frames: web", "ms CPU", whole, None, 500),
        Row("all frames, ahead of the actor: web", "ms CPU", ahead[0], None, None),
        Row("the label with all frames, as the SDK reads it: web", "ms CPU", walk.price(walk.document, 2), None, 500),
        Row("a window of 50 frames: web", "ms CPU", window, None, 40),
        Row("a window of 50 frames, ahead of the actor: web", "ms CPU", ahead[1], None, None),
        Row("all frames of 10 tracks x 10,000 frames, against as many shapes: web", "ms CPU", of_long, whole, 500),
        Row("a window of 50 of 10,000 frames: web", "ms CPU", long.price(long.window, 5), None, 40),
        Row("frames of 10,000 computed by the actor after an edit", "ms CPU", again, None, None),
    ]


class Walk:
    """A sample whose tracks move, and what is done with it."""

    def __init__(self, client: Client, web: list[int], tracks: int, frames: int, whole: bytes) -> None:
        from labeling.models import Sample

        self.tracks = tracks
        self.client, self.web, self.frames = client, web, frames
        contents = [{"image": {"url": ""}} for _ in range(frames)]
        body = json.dumps({"name": f"walk of {frames}", "attributes": {"frames": contents}}).encode()
        sample = json.loads(client.call("POST", "/datasets/bench/bench/samples/", body))["uuid"]
        self.label = f"/labels/{sample}/ground-truth"
        client.call("PUT", f"{self.label}/", whole)
        self.log = Sample.objects.get(id=sample).dataset_id
        self.turn = iter(range(1_000_000))

    def move(self) -> None:
        """Somebody moves a keyframe."""
        n = next(self.turn)
        points = [[n % 97, 5], [n % 97 + 20, 30]]
        edit = {"op": "set_keyframe", "track": n % self.tracks + 1, "frame": 500, "type": "bbox", "points": points}
        self.client.call("POST", f"{self.label}/edits/", json.dumps({"edits": [edit]}).encode())

    def all_frames(self) -> None:
        self.client.call("GET", f"{self.label}/frames/")

    def document(self) -> None:
        self.client.call("GET", f"{self.label}/")

    def window(self) -> None:
        self.client.call("GET", f"{self.label}/frames/?from=475&to=525")

    def catch_up(self) -> float:
        """Milliseconds of processor time that the actor's projection of frames takes here."""
        from labeling.log import projector

        before = time.process_time_ns()
        projector.bring_up("frames", self.log, most=1_000_000)
        self.client.close()  # the server may have ended it meanwhile
        return (time.process_time_ns() - before) / 1e6

    def price(self, action: Callable[[], Any], times: int) -> float:
        """Milliseconds of the web server's processor time for one call; the median of some rounds."""
        action()
        found = []
        for _ in range(5):
            before = processor_ms(self.web)
            for _ in range(times):
                action()
            found.append((processor_ms(self.web) - before) / times)
        return sorted(found)[len(found) // 2]


def document(tracks: int, count: int) -> bytes:
    """Tracks that move in straight lines between keyframes."""
    chance = np.random.default_rng(6)
    places = chance.integers(0, 1000, (tracks, count // STEP + 1, 2)).tolist()
    frames: list[dict[str, Any]] = []
    for frame in range(count):
        index, part = divmod(frame, STEP)
        items = []
        for number, place in enumerate(places, 1):
            x, y = (a + (b - a) * part / STEP for a, b in zip(place[index], place[index + 1], strict=True))
            points = [[x, y], [x + 20, y + 25]]
            if frame > count - STEP:  # there is no keyframe behind the last ones
                points = frames[count - STEP]["annotations"][number - 1]["points"]
            items.append(
                {
                    "id": number,
                    "category_id": 1,
                    "track_id": number,
                    "type": "bbox",
                    "points": points,
                    "is_keyframe": part == 0,
                }
            )
        frames.append({"annotations": items})
    return json.dumps({"label_status": "PRELABELED", "attributes": {"frames": frames}}).encode()


if __name__ == "__main__":
    json.dump([row.as_json() for row in main()], sys.stdout)
