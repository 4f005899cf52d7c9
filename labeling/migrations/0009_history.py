"""The history by type, author, gesture and work session: none of them walks the log."""

from __future__ import annotations

from django.db import migrations

INDEXES = """
CREATE INDEX log_event_type ON log_event (log, type, "offset");
CREATE INDEX log_event_author ON log_event (log, author, "offset");
CREATE INDEX log_event_gesture ON log_event (log, correlation, "offset") WHERE correlation IS NOT NULL;
CREATE INDEX log_event_session ON log_event (log, work_session, "offset") WHERE work_session IS NOT NULL;
"""
GONE = "DROP INDEX log_event_type, log_event_author, log_event_gesture, log_event_session"


class Migration(migrations.Migration):
    dependencies = [("labeling", "0008_set_based_append")]

    operations = [migrations.RunSQL(INDEXES, GONE)]
