"""Work units."""

from __future__ import annotations

from labeling.api.schemas import component
from labeling.api.schemas.forms import MOMENT, TEXT, UUID, WHOLE, closed, nullable, one_of, said
from labeling.api.schemas.labels import STATUS

_MILLISECONDS = WHOLE | {"minimum": 0}
WORK_UNIT = component(
    "WorkUnit",
    closed(
        {
            "uuid": UUID,
            "created_at": MOMENT,
            "created_by": TEXT,
            "work_type": one_of("label", "review", "normal"),
            "next_label_status": said(nullable(STATUS), "Null where the save left it as it was."),
            "time": said(_MILLISECONDS, "Active milliseconds."),
            "inactive_time": said(_MILLISECONDS, "Milliseconds in gaps that are longer than the dataset's threshold."),
            "sample_uuid": UUID,
            "sample_name": TEXT,
            "labelset": TEXT,
            "label_rating": {"type": "null"},
        },
        {
            "session_time_metrics": closed(
                {
                    "wall_time": _MILLISECONDS,
                    "measured_intervals": said(WHOLE | {"minimum": 0}, "0 where the time could not be measured."),
                }
            )
        },
    ),
    example={
        "uuid": "9e0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a12",
        "created_at": "2026-11-20T09:30:00.123456+00:00",
        "created_by": "ben",
        "work_type": "label",
        "next_label_status": "LABELED",
        "time": 61_250,
        "inactive_time": 0,
        "sample_uuid": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "sample_name": "a.jpg",
        "labelset": "ground-truth",
        "label_rating": None,
    },
)
