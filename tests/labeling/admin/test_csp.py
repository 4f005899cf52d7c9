from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from labeling.admin.csp import POLICY, strict_content
from tests.labeling.admin.world import World, png, upload

ADDRESSES = "/admin/login/ /nowhere/ /api_status/ /api/docs/ /api/schema/ /static/labeling/admin.css /user/".split()


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.usefixtures("db")
def test_every_answer_has_the_policy(address: str) -> None:
    answer = Client().get(address)
    b"".join(answer)  # a file is closed by who reads it

    assert answer["Content-Security-Policy"] == POLICY
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"


def test_the_policy_allows_nothing_but_files_of_ours() -> None:
    said = dict(part.split(" ", 1) for part in POLICY.split("; "))

    assert said["default-src"] == said["frame-ancestors"] == said["base-uri"] == "'none'"
    assert {said[name] for name in ("script-src", "style-src", "font-src", "connect-src", "form-action")} == {"'self'"}
    assert said["img-src"] == "'self' data:"


def test_a_file_of_somebodys_stays_in_its_sandbox(world: World) -> None:
    from labeling.commands import assets

    answer = Client().get(assets.url_of(upload(world.edda, png())))
    b"".join(answer)  # a file is closed by who reads it

    assert answer.status_code == 200
    assert "sandbox" in answer["Content-Security-Policy"]


def test_a_views_own_word_stays() -> None:
    stricter = HttpResponse(headers={"Content-Security-Policy": "sandbox"})

    answer = strict_content(lambda request: stricter)(RequestFactory().get("/"))

    assert answer["Content-Security-Policy"] == "sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_refused_form_is_answered_without_inline_style() -> None:
    from tests.labeling.admin.markup import refused

    answer = Client(enforce_csrf_checks=True).post(reverse("admin:login"), {"username": "x"})

    assert answer.status_code == 403
    assert refused(answer.content.decode()) == []
