"""Audit reports and signed checkpoints."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component, example_of
from labeling.api.schemas.forms import (
    ANYTHING,
    HASH,
    ISO_TIME,
    NUMBER,
    TEXT,
    UUID,
    WHOLE,
    listed,
    map_of,
    nullable,
    one_of,
    record,
    said,
)
from labeling.api.schemas.parameters import or_empty, query
from labeling.api.schemas.signing_keys import SIGNATURE
from labeling.audit import catalogue
from labeling.audit.writing import FORMS

JSON = dict[str, Any]

MEDIA = tuple(media.split(";")[0] for media in FORMS.values())


def report_name(of: str) -> tuple[JSON, Any]:
    """A report in the path."""
    words = "The name or the code of an audit report, such as `A8` or `duties`; the catalogue has all."
    return said(TEXT, words), "integrity" if of == "installation" else "duties"


CATALOGUE = component(
    "AuditCatalogue",
    listed(
        record(
            {
                "code": said(TEXT, "What auditors call it."),
                "name": TEXT,
                "title": TEXT,
                "answers": said(TEXT, "The question that it answers."),
                "version": said(WHOLE, "A new number where the same question gets other rows or words."),
                "options": said(map_of(TEXT), "What it can be asked beside a period."),
                "reads": said(listed(TEXT), "The other logs that it reads."),
                "url": TEXT,
            }
        )
    ),
    example=[
        {
            "code": "A8",
            "name": "duties",
            "title": "Segregation of duties",
            "answers": "Reviews of one's own work.",
            "version": 1,
            "options": {"fast_s": "A review in less than so many seconds is too fast."},
            "reads": [],
            "url": "/datasets/ana/cars/audit/duties/",
        }
    ],
)
DEFINITION = component(
    "AuditDefinition",
    record(
        {
            "report": TEXT,
            "name": TEXT,
            "version": WHOLE,
            "log": UUID,
            "offsets": said(map_of(WHOLE), "Up to where each log was read; asked with these, the bytes are the same."),
            "from": nullable(TEXT),
            "to": nullable(TEXT),
            "options": map_of(TEXT),
        }
    ),
    example={
        "report": "A8",
        "name": "duties",
        "version": 1,
        "log": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "offsets": {"dataset": 41},
        "from": None,
        "to": None,
        "options": {"fast_s": "5", "least_reviews": "10"},
    },
)
ANSWER = component(
    "AuditAnswer",
    record(
        {
            "definition": DEFINITION,
            "title": TEXT,
            "answers": TEXT,
            "parts": said(ANYTHING, "The tables of the report, and what their columns mean."),
            "rows": said(listed(ANYTHING), "Each says by `part` which table it is of."),
            "count": WHOLE,
            "digest": said(HASH, "Of the definition and the rows, with the hashes of people's texts in their place."),
        }
    ),
    example={
        "definition": {
            "report": "A8",
            "name": "duties",
            "version": 1,
            "log": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
            "offsets": {"dataset": 41},
            "from": None,
            "to": None,
            "options": {"fast_s": "5", "least_reviews": "10"},
        },
        "title": "Segregation of duties",
        "answers": "Reviews of one's own work.",
        "parts": {"reviewers": {"title": "Reviewers", "columns": {"reviews": "Verdicts in the period."}}},
        "rows": [{"part": "reviewers", "person": "4b1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10", "reviews": 3}],
        "count": 1,
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
)
_stated: JSON = {
    "checkpoint": 2,
    "log": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
    "number": 1,
    "offset": 1,
    "chain": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "recorded_us": 1795167000123456,
    "made_us": 1795167060123456,
    "app_version": "0.1",
    "previous": None,
    "tree": {
        "root": "1b86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "peaks": ["1b86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    },
}
CHECKPOINT = component(
    "Checkpoint",
    record(
        {
            "statement": record(
                {
                    "checkpoint": said(WHOLE, "The version of this form; from 2 on it has a tree."),
                    "log": UUID,
                    "number": WHOLE,
                    "offset": WHOLE,
                    "chain": HASH,
                    "recorded_us": said(NUMBER, "When the event there was recorded, in microseconds since 1970."),
                    "made_us": said(NUMBER, "When the checkpoint was made."),
                    "app_version": TEXT,
                    "previous": said(nullable(HASH), "The SHA-256 of the statement before, as canonical JSON."),
                },
                {
                    "tree": record(
                        {
                            "root": said(HASH, "Of the Merkle tree over the chain hashes up to there (RFC 9162)."),
                            "peaks": said(listed(HASH), "The roots of its perfect subtrees, the largest first."),
                        }
                    )
                },
            ),
            "signature": said(SIGNATURE, "Over the statement as canonical JSON."),
        }
    ),
    example={"statement": _stated, "signature": example_of(SIGNATURE)},
)
CHECKPOINTS = component("Checkpoints", listed(CHECKPOINT), example=[])
_path = said(listed(HASH), "The hashes beside the way up the tree, from below.")
_proof = said(WHOLE, "The version of this form.")
INCLUSION = component(
    "InclusionProof",
    record(
        {
            "proof": _proof,
            "kind": one_of("inclusion"),
            "event": said(ANYTHING, "The event, with all that its hashes are over."),
            "chain_before": said(HASH, "The chain hash of the event before it; zeros for the first."),
            "path": _path,
            "checkpoint": CHECKPOINT,
        }
    ),
    example={
        "proof": 1,
        "kind": "inclusion",
        "event": {"log": _stated["log"], "offset": 1, "type": "DatasetCreated"},
        "chain_before": "0" * 64,
        "path": [],
        "checkpoint": {"statement": _stated, "signature": example_of(SIGNATURE)},
    },
)
CONSISTENCY = component(
    "ConsistencyProof",
    record({"proof": _proof, "kind": one_of("consistency"), "path": _path, "from": CHECKPOINT, "to": CHECKPOINT}),
    example={
        "proof": 1,
        "kind": "consistency",
        "path": [],
        "from": {"statement": _stated, "signature": example_of(SIGNATURE)},
        "to": {"statement": _stated, "signature": example_of(SIGNATURE)},
    },
)

LOGS_AT = query(
    "logs_at",
    "A9: which other logs are read and up to where, as ID:OFFSET,ID:OFFSET; of an id the last 12 characters do. All of"
    " them up to their heads unless said. An address holds about 400 of them: where there are more, POST the offsets.",
    TEXT,
)
OFFSETS = component(
    "AuditOffsets",
    record({"offsets": said(map_of(WHOLE | {"minimum": 0}), "Those of a definition: logs by name or id.")}),
    example={"offsets": {"installation": 12, "security": 40}},
)
_date = or_empty({"anyOf": [{"type": "string", "format": "date"}, ISO_TIME]})
_options: dict[str, str] = {}
for _report in (*catalogue.reports("dataset").values(), *catalogue.reports("installation").values()):
    for _name, _option in _report.options.items():
        _options[_name] = f"{_report.code}: {_option.says}"
QUESTION = (
    query("from", "Only what was recorded at this time or later; a date is its beginning in UTC.", _date, "2026-11-01"),
    query("to", "Only what was recorded before this time; a date is its beginning in UTC.", _date, "2026-12-01"),
    query("format", "`json` unless said; `html` is a page of its own.", or_empty(one_of(*FORMS)), "json"),
    query("names", "`1` adds the names of today of the people in the rows.", TEXT, "1"),
    *(query(name, words, TEXT) for name, words in sorted(_options.items())),
)
PARAMETERS = (
    *QUESTION,
    query(
        "installation_at",
        "Up to which offset the log of the installation is read.",
        or_empty(WHOLE | {"minimum": 0}),
        7,
    ),
    query("security_at", "Up to which offset the security log is read.", or_empty(WHOLE | {"minimum": 0}), 12),
)
