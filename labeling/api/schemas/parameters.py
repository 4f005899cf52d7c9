"""Path, query and header parameters, and the headers of answers.

A parameter whose schema takes any text is one that the protocol passes over where it makes no sense (fact 20 of its
list); all others are refused with 400.
"""

from __future__ import annotations

from typing import Any

from labeling.api.schemas.forms import ISO_TIME, TEXT, UUID, WHOLE, matching, said

JSON = dict[str, Any]

Parameter = JSON

NAME = matching("^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", "The name of a dataset.")
USERNAME = matching("^[A-Za-z0-9][A-Za-z0-9@._+-]{0,149}$", "The username of a person or an organisation.")

#: Path parameters by their names: schema and example. An operation may say something else of one.
PATH: dict[str, tuple[JSON, Any]] = {
    "owner": (said(USERNAME, "The username of the dataset's owner."), "ana"),
    "name": (NAME, "cars"),
    "username": (USERNAME, "ben"),
    "organization": (said(USERNAME, "The username of an organisation."), "firm"),
    "label_set": (said(NAME, "The name of a label set; `ground-truth` always exists."), "ground-truth"),
    "sample": (said(UUID, "The uuid of a sample."), "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10"),
    "issue": (said(UUID, "The uuid of an issue."), "5d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a11"),
    "key": (said(UUID, "The uuid of an API key (not the key)."), "1e0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a12"),
    "webhook": (said(UUID, "The uuid of a webhook."), "3e0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a14"),
    "installation_webhook": (
        said(UUID, "The uuid of a webhook of all datasets."),
        "4e0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a15",
    ),
    "asset": (said(UUID, "The uuid of a planned file."), "2f0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a13"),
}


def named_path_parameter(name: str, schema: JSON, example: Any) -> None:
    """Say what a path parameter of an upper app is."""
    PATH[name] = (schema, example)


def path_parameter(name: str, schema: JSON, example: Any) -> Parameter:
    found = {key: value for key, value in schema.items() if key != "description"}
    words = schema.get("description", "")
    return {"name": name, "in": "path", "required": True, "description": words, "schema": found, "example": example}


def query(name: str, description: str, schema: JSON = TEXT, example: Any = None) -> Parameter:
    found: Parameter = {"name": name, "in": "query", "description": description, "schema": schema}
    return found if example is None else found | {"example": example}


def header(name: str, description: str, schema: JSON, example: Any) -> Parameter:
    return {"name": name, "in": "header", "description": description, "schema": schema, "example": example}


def or_empty(schema: JSON) -> JSON:
    """Nothing behind the equals sign is as if the parameter were left out."""
    return {"anyOf": [schema, {"type": "string", "maxLength": 0}]}


# --- queries -------------------------------------------------------------------------------------------------------

AT = query(
    "at",
    "An offset of the dataset, a time in ISO 8601 (UTC without a zone), the id of an event, or a name that was given to"
    " a frozen state: everything as it was then. Takes membership; `Dataset-Offset` says which offset it was.",
    {"anyOf": [{"type": "integer", "minimum": 0}, ISO_TIME, TEXT]},
    12,
)
LENIENT = " What is no positive number is taken for the default."
PER_PAGE = query("per_page", f"How many at the most, up to 1000.{LENIENT}", TEXT, "100")
PAGE = query("page", f"Which page, from 1; 404 behind the last one.{LENIENT}", TEXT, "1")
PAGING = (PER_PAGE, PAGE)
LIMIT = query(
    "limit", "How many events at the most; 100 unless said.", or_empty(WHOLE | {"minimum": 1, "maximum": 1000}), 100
)
AFTER = query("after", "An offset: only events after it.", or_empty(WHOLE | {"minimum": 0}), 12)
AFTER_SAMPLE = query(
    "after",
    "The uuid of the last sample seen, in the place of `page`: the page begins behind it. It costs the same however"
    " deep it is, and samples that come or go meanwhile make it neither skip nor repeat another.",
    UUID,
)
LABELSET = query(
    "labelset", "With the labels in the label set of this name; a name that there is none of is passed over.", TEXT,
    "ground-truth",
)  # fmt: skip

FULL_LABEL = query("include_full_label", "`1` gives whole labels in the place of their summaries.", TEXT, "1")
SIGNED_URLS = query("include_signed_urls", "`1` puts a `signed_url` beside the url of every file of ours.", TEXT, "1")
NAME_CONTAINS = query("name__contains", "Only samples with this in their names.", TEXT, ".jpg")
FILTERS = query(
    "filters", "Only samples with these in their metadata: `key:value`, separated by commas.", TEXT, "city:Berlin"
)
LABEL_STATUS = query(
    "label_status", "Only samples whose label (in `labelset`) has one of these statuses, separated by commas.", TEXT,
    "LABELED,REVIEWED",
)  # fmt: skip
SORT = query(
    "sort",
    "name, created_at, priority or gt_label__updated_at, or with a minus the other way round.",
    TEXT,
    "-priority",
)
AFTER_VERSION = query(
    "after_version", "Only events after this version of the label.", or_empty(WHOLE | {"minimum": 0}), 7
)

# --- headers of requests -------------------------------------------------------------------------------------------

IF_MATCH = header(
    "If-Match",
    "The version that was seen, as its ETag gave it, or `*`. The change is put on top of what others did since, and"
    " refused with 409 only where both touched the same.",
    matching(r'^(\*|"(0|[1-9][0-9]{0,17})")$', "One strong ETag of a label, or of a sample where it is about that."),
    '"7"',
)
IF_NONE_MATCH = header("If-None-Match", "`*`: only where there is no label yet.", {"const": "*", "type": "string"}, "*")
IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "Names the command, so that a retry of it gets the first answer and does nothing.",
    matching("^[ -~]{1,255}$", "Printable ASCII."),
    "c0ffee00-1",
)
REASON = header(
    "X-Reason",
    "Why, where the body has no `reason`; stored encrypted. The dataset's setting `reasons_required` says what asks for"
    " one, and of organisations and keys REASONS_REQUIRED of the installation. What is not ASCII is percent-encoded"
    " UTF-8.",
    matching("^[ -~]{0,30000}$", "Printable ASCII; nothing is as if it were not there."),
    "it was labeled twice",
)
SEEN_OFFSET = header(
    "Seen-Offset",
    "The dataset offset whose categories and guideline the author saw, where the body has no `seen_offset`; the newest"
    " unless said.",
    matching("^(0|[1-9][0-9]{0,15})$", "An offset of the dataset."),
    "41",
)
CONTENT_ENCODING = header(
    "Content-Encoding",
    "`gzip` where the body is one gzip member; a body of any other but `identity` is refused with 415.",
    TEXT,
    "identity",
)

# --- headers of answers --------------------------------------------------------------------------------------------

Header = tuple[str, JSON]


def answer_header(name: str, description: str, schema: JSON, *, always: bool = True) -> Header:
    example = schema.pop("examples")[0]
    found: JSON = {"description": description, "schema": schema, "example": example}
    return name, found | ({"required": True} if always else {})


ETAG = answer_header(
    "ETag", "The version, for If-Match.", matching('^"(0|[1-9][0-9]*)"$', "A strong ETag.") | {"examples": ['"7"']}
)
DATASET_OFFSET = answer_header(
    "Dataset-Offset", "How far in the dataset's log the answer reaches.", WHOLE | {"minimum": 0, "examples": [41]}
)
LABEL_SUPERSEDED = answer_header(
    "Label-Superseded",
    "Ids of annotations of others that the document removed because it did not name them, at most 500.",
    matching("^-?[0-9]+(,-?[0-9]+)*$", "Ids, separated by commas.") | {"examples": ["3,17"]},
    always=False,
)
LABEL_LOST = answer_header(
    "Label-Lost",
    "What a changed shape lost because the protocol cannot say it, as `id:what+what`, at most 200.",
    TEXT | {"examples": ["4:holes+keypoints"]},
    always=False,
)
RETRY_AFTER = answer_header("Retry-After", "Seconds.", WHOLE | {"minimum": 1, "examples": [2]})
WWW_AUTHENTICATE = answer_header("WWW-Authenticate", "The scheme.", TEXT | {"examples": ["APIKey"]})
HEADERS = dict([RETRY_AFTER, WWW_AUTHENTICATE])
