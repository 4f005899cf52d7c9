"""Shows what the log knows of the work: how long each person was at it, and what happened to one vehicle, in words."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from config.demo.console import Console
from config.demo.editing import polygons_by_id
from config.demo.server import DemoFailed, Server
from labeling.rules.label_ids import label_id

Json = dict[str, Any]

#: Sentences that are told; the page has all of them.
MOST = 5


def show_work(console: Console, ana: Server, path: str, label: str, number: int) -> None:
    """Tell who worked how long, and the story of the object with this number; both have a page with more.

    Raises:
        Refused: the server refused something that this needs.
        DemoFailed: nobody worked, or nothing is told of the object.
    """
    console.heading("The log knows who worked how long, and what happened to each object")
    report = ana.call("GET", f"{path}/reports/time/?by=person").json
    if not report["rows"]:
        raise DemoFailed("the report of working time tells of nobody")
    for row in sorted(report["rows"], key=lambda row: -row["active_s"]):
        name = report["names"].get(row["person"], row["person"])
        console.row(name, f"{row['active_s']:.1f} s at work, {row['signals']} signals of it in the log")
    vehicle = polygons_by_id(ana.call("GET", label).json)[number]
    story = ana.call("GET", f"{label}history/?object={quote(vehicle['uuid'])}&limit=1000").json
    if not story:
        raise DemoFailed(f"the log tells nothing of vehicle {number}")
    left_out = len(story) - MOST
    how_many = f"{len(story)} events; the last {MOST}:" if left_out > 0 else "from the beginning:"
    console.row(f"vehicle {number}", how_many)
    for entry in story[-MOST:]:
        console.row("", f"{entry['offset']:>5}  {entry['sentence']}")
    dataset = ana.call("GET", f"{path}/").json["uuid"]
    admin = f"{ana.public_url}/admin/labeling"
    console.row("charts", console.styled(f"{admin}/dataset/{dataset}/reports/time/", "cyan"))
    page = f"{admin}/label/{label_id(story[-1]['stream'])}/change/?object={vehicle['uuid']}#story"
    console.row("its story", console.styled(page, "cyan"))
