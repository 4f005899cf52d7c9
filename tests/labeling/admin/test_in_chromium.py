"""The admin and the API page in a real browser: nothing that they do is refused by their content policy."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.contrib import admin
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.urls import reverse

from labeling.admin.events import event_id
from labeling.commands import people
from labeling.models import Sample
from tests.labeling.admin.world import World, make_world
from tests.support import chromium, real_parts

pytestmark = [pytest.mark.needs_chromium, pytest.mark.full]

PASSWORD = "a very long one 1"


class Threading(ThreadingMixIn, WSGIServer):
    """A thread a request, as in production."""

    daemon_threads = False


class Silent(WSGIRequestHandler):
    """Says nothing about requests."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


def application(environ: Any, start_response: Any) -> Any:
    """The whole application; a thread's connection to the database ends with its request."""
    response: Any = get_wsgi_application()(environ, start_response)
    try:
        yield from response
    finally:
        if hasattr(response, "close"):
            response.close()
        connections.close_all()


@pytest.fixture
def world(committed_db: None) -> World:
    """As in the other tests, but committed, for the threads of a server to see; so under names of its own."""
    made = make_world(prefix=f"c{uuid.uuid4().hex[:8]}-")
    people.set_password(intent=people.operator("test"), person=made.anke, password=PASSWORD)
    return made


@pytest.fixture
def address(world: World) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, application, server_class=Threading, handler_class=Silent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[chromium.Chromium]:
    real_parts.require("Chromium", chromium.executable() is not None)
    started = chromium.Chromium(tmp_path / "profile")
    yield started
    started.close()


def pages(world: World) -> list[str]:
    ids = {
        "labeling_dataset": world.dataset,
        "labeling_sample": world.sample,
        "labeling_labelset": world.predictions.id,
        "labeling_label": world.label.id,
        "labeling_storedevent": event_id(world.dataset, 1),
        "labeling_person": world.bodo.id,
        "labeling_apikey": world.key.id,
        "labeling_issue": world.issue,
        "labeling_organizationmember": world.organization.id,
    }
    names = [f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry]
    forms = ["labeling_dataset", "labeling_labelset", "labeling_person", "labeling_apikey", "releases_release"]
    return [
        reverse("admin:index"),
        *(reverse(f"admin:{name}_changelist") for name in names),
        *(reverse(f"admin:{name}_change", args=[key]) for name, key in ids.items()),
        *(reverse(f"admin:{name}_add") for name in forms),
        reverse("admin:labeling_dataset_delete", args=[world.dataset]),
        *(
            reverse(f"admin:labeling_dataset_{name}", args=[world.dataset])
            for name in ("upload", "categories", "reports", "webhooks")
        ),
        *(reverse("admin:labeling_dataset_attributes", args=[world.dataset, name]) for name in ("image", "1")),
        reverse("admin:releases_release_difference", args=[world.dataset]) + "?from=0",
        reverse("admin:labeling_issue_add") + f"?sample={world.sample}",
        reverse("admin:labeling_organizationmember_add"),
        reverse("admin:password_change"),
    ]


def log_in(browser: Any, address: str, world: World) -> None:
    browser.go(f"{address}/admin/")
    assert browser.complaints() == []
    fill = f"document.querySelector('#id_username').value = {world.anke.username!r};"
    fill += f"document.querySelector('#id_password').value = {PASSWORD!r};"
    browser.run(fill)
    browser.follow("document.querySelector('#login-form').submit()")
    assert browser.run("document.querySelector('h1').textContent") == "Overview"


def test_nothing_that_a_page_does_is_refused_by_its_policy(world: World, browser: Any, address: str) -> None:
    log_in(browser, address, world)

    for page in pages(world):
        browser.go(address + page)
        assert browser.complaints() == [], page
        assert browser.run("getComputedStyle(document.querySelector('#header')).backgroundColor") != "rgba(0, 0, 0, 0)"

    browser.go(address + reverse("admin:labeling_sample_changelist") + f"?dataset={world.dataset}")
    browser.run("document.querySelector('img.thumbnail').decode()")  # throws where there is no picture


def test_the_api_page_works_under_the_policy(world: World, browser: Any, address: str) -> None:
    browser.go(f"{address}/api/docs/")
    for _ in range(100):
        if browser.run("document.querySelectorAll('.opblock').length"):
            break
        browser.settle(0.1)
    # A few, one after the other: the page resolves the schemas of each that is opened, which takes it a while.
    for index in range(3):
        browser.run(f"document.querySelectorAll('.opblock-summary-control')[{index}].click()")
    browser.settle()
    browser.run("document.querySelector('.try-out__btn').click()")
    browser.settle()

    assert browser.run("document.querySelectorAll('.opblock-body').length") == 3
    assert browser.complaints() == []


#: Three pictures and a text, chosen as by hand; resolves when the script has dealt with all of them.
UPLOAD = """
(async () => {
    const canvas = document.createElement("canvas");
    const chosen = new DataTransfer();
    for (const name of ["red.png", "green.png", "one.png"]) {
        canvas.getContext("2d").fillRect(0, 0, name.length, 9);
        const blob = await new Promise((resolve) => canvas.toBlob(resolve));
        chosen.items.add(new File([blob], name));
    }
    chosen.items.add(new File(["hello"], "notes.txt"));
    const input = document.getElementById("upload-files");
    input.files = chosen.files;
    const button = document.querySelector("#upload-form [type=submit]");
    const done = new Promise((resolve) => {
        new MutationObserver(() => button.disabled || resolve()).observe(button, { attributes: true });
    });
    button.click();
    await done;
    const listed = {};
    for (const group of document.querySelectorAll("#upload-results [data-what]")) {
        listed[group.dataset.what] = [...group.querySelectorAll("li")].map((item) => item.firstChild.textContent);
    }
    return [listed, document.getElementById("upload-done").value, document.getElementById("upload-problem").hidden];
})()
"""


def test_the_script_of_uploads_shows_its_progress_and_what_became_of_each_file(
    world: World, browser: Any, address: str
) -> None:
    log_in(browser, address, world)
    browser.go(address + reverse("admin:labeling_dataset_upload", args=[world.dataset]))

    listed, done, no_problem = browser.run(UPLOAD)

    assert listed == {"refused": ["notes.txt"], "there": ["one.png"], "made": ["red.png", "green.png"]}
    assert (done, no_problem) == (4, True)
    assert browser.complaints() == []
    assert Sample.objects.filter(dataset_id=world.dataset, archived=False).count() == 3


def test_an_attribute_shows_the_fields_that_its_type_has(world: World, browser: Any, address: str) -> None:
    log_in(browser, address, world)
    browser.go(address + reverse("admin:labeling_dataset_attributes", args=[world.dataset, "1"]))
    shown = """(type) => {
        const form = document.querySelector(".attribute");
        form.querySelector("select").value = type;
        form.querySelector("select").dispatchEvent(new Event("change"));
        const fields = [...form.querySelectorAll(".attribute-field[data-for]")];
        return fields.filter((field) => field.checkVisibility()).map((field) => field.className.split("field-").pop());
    }"""

    assert browser.run(f"({shown})('select')") == ["values", "default_value"]
    assert browser.run(f"({shown})('number')") == ["default_value", "min", "max", "step"]
    assert browser.run(f"({shown})('vector3')") == []
