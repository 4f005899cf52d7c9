"""Work units: what people spent on labeling and reviewing, save by save."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import existing_page, moment, page_of
from labeling.api.schemas.forms import ISO_TIME, listed
from labeling.api.schemas.parameters import AT, DATASET_OFFSET, PAGING, query
from labeling.api.schemas.work_units import WORK_UNIT
from labeling.api.views import Answer, View
from labeling.log import projector
from labeling.projectors import WorkUnits
from labeling.queries import work_units as queries
from labeling.queries.work_units import WorkOnSample
from labeling.rules import access

JSON = dict[str, Any]

#: A reader waits for this many events at the most; `Dataset-Offset` says how far the answer reaches.
MOST_BEHIND = 10_000


def rendered_work_unit(found: WorkOnSample, *, metrics: bool) -> JSON:
    """The protocol's Workunit; a unit whose time could not be measured has `measured_intervals` 0 in its metrics."""
    unit = found.unit
    body: JSON = {
        "uuid": unit.id,
        "created_at": unit.created_at,
        "created_by": found.author or str(unit.author),
        "work_type": unit.work_type,
        "next_label_status": unit.next_label_status,
        "time": unit.active_us // 1000,
        "inactive_time": unit.inactive_us // 1000,
        "sample_uuid": unit.sample_id,
        "sample_name": found.sample,
        "labelset": found.label_set,
        "label_rating": None,
    }
    if metrics:
        body["session_time_metrics"] = {
            "wall_time": (unit.active_us + unit.inactive_us) // 1000,
            "measured_intervals": unit.gaps,
        }
    return body


class WorkUnitsView(View):
    """The work units of a dataset."""

    @documented(
        "work_units",
        "read",
        {200: Reply(listed(WORK_UNIT), (DATASET_OFFSET,))},
        parameters=(
            *PAGING,
            query("sort", "created_at, or -created_at for the newest first; anything else is passed over."),
            query(
                "start", "Only units made at this time or later; UTC without a zone.", ISO_TIME, "2026-11-01T00:00:00Z"
            ),
            query("end", "Only units made before this time; UTC without a zone.", ISO_TIME, "2026-12-01T00:00:00Z"),
            AT,
            query("include_session_time_metrics", "`true` adds what the time was made of.", example="true"),
        ),
    )
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """A page of the work of everybody (for managers and admins), or of the caller's own, now or (`at`) then."""
        found = self.dataset(owner, name)
        then = self.past(found)
        sees_all = access.may("work", role=found.role, public=found.dataset.public)
        query = request.query_params
        limit, skip = page_of(request)
        reached = projector.bring_up(WorkUnits.name, found.id, most=MOST_BEHIND)
        offset = reached if then is None else min(then.offset, reached)
        units = queries.work_units(
            found.id,
            author=None if sees_all else self.person,
            start=_time(request, "start"),
            end=_time(request, "end"),
            newest_first=query.get("sort", "").startswith("-"),
            limit=limit,
            skip=skip,
            at=None if then is None else offset,
        )
        existing_page(units, skip)
        metrics = query.get("include_session_time_metrics", "").lower() in ("true", "1")
        return answer(
            [rendered_work_unit(unit, metrics=metrics) for unit in units], headers={"Dataset-Offset": str(offset)}
        )


def _time(request: Request, name: str) -> dt.datetime | None:
    value = request.query_params.get(name)
    # A plus sign in a query is a space unless it was escaped.
    return moment(value.replace(" ", "+") if "T" in value else value, name) if value else None
