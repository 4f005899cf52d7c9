"""The check of answers against the document does refuse what is not in it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.conformity import Undocumented, check

JSON_TYPE = {"Content-Type": "application/json"}
WRITTEN = JSON_TYPE | {"ETag": '"3"', "Dataset-Offset": "9"}
EDITED = b'{"version":3,"offset":9,"label_status":"LABELED","rebased":false,"edits":[{"changed":true}]}'
EDITS = "/labels/7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10/ground-truth/edits/"

WRONG: list[tuple[str, str, int, dict[str, str], bytes, bytes | None]] = [
    ("GET", "/api_status/", 418, JSON_TYPE, b"{}", None),  # a status
    ("GET", "/api_status/", 200, JSON_TYPE, b'{"status":"well"}', None),  # a value
    ("GET", "/api_status/", 200, JSON_TYPE, b'{"status":"ok","more":1}', None),  # a field
    ("GET", "/api_status/", 200, {"Content-Type": "text/html"}, b"ok", None),  # a type
    ("GET", "/api_status/", 200, WRITTEN, b'{"status":"ok"}', None),  # a header
    ("GET", "/api_status/", 401, JSON_TYPE, b'{"detail":"x","code":"not_authenticated"}', None),  # no header
    ("GET", "/user/", 404, JSON_TYPE, b'{"detail":"x","code":"not_found"}', None),  # a refusal that it has not
    ("POST", EDITS, 409, JSON_TYPE, b'{"detail":"x","code":"already_exists"}', None),  # a code that it has not
    ("POST", EDITS, 200, WRITTEN | {"ETag": "3"}, EDITED, None),  # a header's form
    ("POST", EDITS, 200, WRITTEN, EDITED, b'{"edits":[{"op":"paint"}]}'),  # taken, and not allowed
    ("DELETE", "/datasets/a/b/", 204, {}, b"x", None),  # a body
]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case[0]}-{case[1].split('/')[1]}-{case[2]}")
def test_what_is_not_documented_is_refused(case: Any) -> None:
    with pytest.raises(Undocumented):
        check(*case)


def test_what_is_documented_passes() -> None:
    check("GET", "/api_status", 200, JSON_TYPE, b'{"status":"ok"}')
    check("POST", EDITS, 200, WRITTEN, EDITED, b'{"edits":[{"op":"set_status","verb":"submit"}]}')
    check("PUT", "/api_status/", 405, JSON_TYPE, b"{}")
    check("GET", "/nowhere/", 404, {}, b"")
