from __future__ import annotations

from django.urls import reverse

from labeling import events as e
from labeling.texts import decrypt_all
from tests.labeling.admin.markup import refused
from tests.labeling.admin.world import World


def page_of(world: World) -> str:
    return reverse("admin:labeling_dataset_guideline", args=[world.dataset])


def test_a_guideline_is_put_in_force_and_the_earlier_ones_stay(world: World) -> None:
    assert "no guideline yet" in world.admin.get(page_of(world)).content.decode()
    said = [{"text": "All cars.\r\nOnly those."}, {"text": "No toys.", "reason": "toys were drawn"}]

    events = world.new_events(lambda: [world.admin.post(page_of(world), body) for body in said])

    assert [event.fact for event in events] == [
        e.GuidelineSet(version=1, text="All cars.\nOnly those."),
        e.GuidelineSet(version=2, text="No toys."),
    ]
    assert decrypt_all([event.intent.reason for event in events]) == [None, "toys were drawn"]
    html = world.admin.get(page_of(world)).content.decode()
    assert "Version 2, in force" in html and "<p>No toys.</p>" in html and "Only those." not in html
    earlier = world.admin.get(page_of(world), {"version": "1"}).content.decode()
    assert "Version 1, no longer in force" in earlier and "Only those." in earlier
    assert "No toys.</textarea>" in earlier  # a new version begins with the newest
    for number in ("0", "3", "x", "９"):
        assert world.admin.get(page_of(world), {"version": number}).status_code == 404


def test_a_guideline_is_shown_as_markdown_and_none_of_it_is_html(world: World) -> None:
    text = "# Cars\n\n- all *of* them\n\n<script>alert(1)</script>"
    world.admin.post(page_of(world), {"text": text})
    html = world.admin.get(page_of(world)).content.decode()
    assert "<h3>Cars</h3>" in html and "<li>all <em>of</em> them</li>" in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html and refused(html) == []


def test_an_empty_one_is_refused_and_labelers_only_read(world: World) -> None:
    answer = world.admin.post(page_of(world), {"text": " "})
    assert answer.status_code == 400 and "is required" in answer.content.decode().lower()
    answer = world.admin.post(page_of(world), {"text": "All\0cars."})
    assert answer.status_code == 400 and "not hold a NUL" in answer.content.decode()
    world.clients["edda"].post(page_of(world), {"text": "All cars."})
    assert world.clients["maja"].get(page_of(world)).status_code == 404
    assert world.clients["maja"].post(page_of(world), {"text": "x"}).status_code == 404
