"""The reports' pages: who sees what, charts of what there is, and questions that make no sense."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from labeling.admin import charts
from labeling.admin.charts import Bar
from labeling.admin.reports import LOOKS, NO_RATE, TITLES, hours
from labeling.commands import datasets
from labeling.log import store
from labeling.log.event import SECURITY
from labeling.reports.catalogue import REPORTS
from tests.labeling.admin.world import World, logged_in


def test_every_report_has_a_look_and_a_title():
    assert set(LOOKS) == set(TITLES) == set(REPORTS)
    for name, look in LOOKS.items():
        assert all(set(by) <= set(REPORTS[name].keys) for by in look.by)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (3599.7, "1:00:00"), (11_100, "3:05 h")]
)
def test_hours_are_told_as_people_do(seconds, words):
    assert hours(seconds) == words.replace("1:00:00", "1:00 h")


def test_a_chart_of_nothing_is_empty_and_breaks_nothing():
    assert "<rect" not in charts.bars([], worded=str, what="nothing")
    assert "<rect" not in charts.columns([], worded=str, what="nothing")
    assert "<rect" not in charts.bars([Bar("a", [("label", 0)])], worded=str, what="nothing")


def test_bars_are_as_long_as_they_should_be_and_words_are_only_words():
    drawn = charts.bars(
        [Bar("<script>", [("label", 30), ("rework", 10)]), Bar("b", [("label", 20)])],
        worded=lambda n: f"{n:.0f}",
        what='"x"',
    )
    assert "<script>" not in drawn and "&lt;script&gt;" in drawn and "&quot;x&quot;" in drawn
    one, two, three = (float(width) for width in re.findall(r'<rect [^>]*width="([0-9.]+)"', drawn))
    assert one == pytest.approx(3 * two, rel=0.01) and three == pytest.approx(2 * two, rel=0.01)


def test_days_between_stand_empty_and_far_ones_are_left_out():
    drawn = charts.columns([Bar("2026-01-01", [("label", 1)]), Bar("2026-01-04", [("label", 2)])], worded=str, what="x")
    assert drawn.count("chart-day") == 4
    long = charts.columns([Bar("2020-01-01", [("label", 1)]), Bar("2026-01-04", [("label", 2)])], worded=str, what="x")
    assert long.count("<rect") == 1


# --- the pages -------------------------------------------------------------------------------------------------------


def page_of(client: Any, world: World, report: str = "time", **query: str) -> Any:
    return client.get(reverse("admin:labeling_dataset_report", args=[world.dataset, report]), query)


@pytest.mark.parametrize("report", REPORTS)
def test_each_report_has_a_page(world: World, report: str) -> None:
    page = page_of(world.admin, world, report)
    assert page.status_code == 200 and TITLES[report] in page.content.decode()
    assert len(page.context["panels"]) == len(LOOKS[report].by)


def test_what_makes_no_sense_is_said_and_nothing_is_shown(world: World) -> None:
    for query, words in (
        ({"timezone": "Mars"}, "timezone"),
        ({"from": "soon"}, "from"),
        ({"threshold_s": "0"}, "threshold_s"),
    ):
        page = page_of(world.admin, world, **query)
        assert page.status_code == 400 and words in page.context["problem"] and not page.context["panels"]
    assert page_of(world.admin, world, "cost", rate="much").status_code == 400
    assert page_of(world.admin, world, "weather").status_code == 404


def test_who_belongs_to_nothing_finds_no_page_and_a_labeler_only_their_own(world: World, intent: Any) -> None:
    stranger = logged_in(world.maja)
    assert page_of(stranger, world).status_code in (403, 404)
    datasets.add_member(intent=intent(world.edda), dataset=world.dataset, person=world.maja.id, role="labeler")
    page = page_of(stranger, world)
    assert page.status_code == 200 and "Yours only" in page.content.decode()
    assert page_of(stranger, world, "queue").status_code == 403
    assert [name for name, _, _ in page.context["reports"]] == [name for name in REPORTS if REPORTS[name].personal]


def test_the_file_beside_a_chart_is_that_of_the_api(world: World) -> None:
    page = page_of(world.admin, world, timezone="Europe/Berlin")
    for panel in page.context["panels"]:
        answer = world.admin.get(panel["csv"])
        assert answer.status_code == 200 and answer["Content-Type"].startswith("text/csv")


def test_a_report_is_kept_from_its_page_and_stays_what_it_was(world):
    client = logged_in(world.anke)
    address = reverse("admin:labeling_dataset_report", args=[world.dataset, "objects"])
    assert "None yet." in client.get(address).content.decode()
    answer = client.post(f"{address}?timezone=Europe/Berlin", {"name": "November"}, follow=True)
    assert answer.status_code == 200 and "The report is kept." in answer.content.decode()
    (kept,) = answer.context["kept"]
    assert (kept["name"], kept["title"], kept["by"]) == ("November", "Objects", world.anke.username)
    assert "must be a text" in client.post(address, {"name": " "}, follow=True).content.decode()
    assert "must not hold a NUL" in client.post(address, {"name": "a\0b"}, follow=True).content.decode()
    assert "timezone" in client.post(f"{address}?timezone=Mars", {"name": "x"}, follow=True).content.decode()
    assert len(client.get(address).context["kept"]) == 1


def test_a_kept_report_is_removed_by_who_kept_it_or_sees_the_work_of_all(world: World, intent: Any) -> None:
    datasets.add_member(intent=intent(world.edda), dataset=world.dataset, person=world.maja.id, role="labeler")
    maja, edda = logged_in(world.maja), logged_in(world.edda)
    address = reverse("admin:labeling_dataset_report", args=[world.dataset, "time"])
    for client, name in ((maja, "mine"), (edda, "ours"), (edda, "theirs")):
        assert client.post(address, {"name": name}).status_code == 302
    assert [row["name"] for row in maja.get(address).context["kept"]] == ["mine"]
    ids = {row["name"]: str(row["id"]) for row in edda.get(address).context["kept"]}
    assert len(ids) == 3 and edda.get(address).content.decode().count('value="remove"') == 3

    def remove(client: Any, name: str) -> Any:
        return client.post(address, {"do": "remove", "report": ids.get(name, name)}, follow=True)

    refused = remove(maja, "ours")
    assert "do not have permission" in refused.content.decode()
    (event,) = world.new_events(lambda: remove(maja, "mine"))
    assert (event.type, event.intent.author, event.intent.tool) == ("ReportRemoved", world.maja.id, "admin")
    assert "not kept any more" in remove(edda, "ours").content.decode()
    assert [row["name"] for row in edda.get(address).context["kept"]] == ["theirs"]
    for nothing in ("ours", "x", ""):
        assert remove(edda, nothing).status_code == 404
    assert logged_in(world.anke).post(address, {"do": "remove", "report": ids["theirs"]}).status_code == 302


def test_the_page_of_costs_asks_what_an_hour_costs(world: World) -> None:
    page = page_of(world.admin, world, "cost")
    assert NO_RATE in page.content.decode()
    assert NO_RATE not in page_of(world.admin, world, "cost", rate="30").content.decode()


def test_a_labeler_who_asks_for_the_work_of_others_is_told_who_may(world: World, intent: Any) -> None:
    datasets.add_member(intent=intent(world.edda), dataset=world.dataset, person=world.maja.id, role="labeler")
    page = page_of(logged_in(world.maja), world, person="edda")
    assert page.status_code == 400 and "Seeing the work of others" in page.context["problem"]
    assert not page.context["panels"]
    assert page_of(logged_in(world.maja), world, person="maja").status_code == 200


def test_who_may_not_keep_a_report_is_told_and_so_is_the_security_log(world: World, intent: Any) -> None:
    datasets.add_member(intent=intent(world.edda), dataset=world.dataset, person=world.maja.id, role="labeler")
    address = reverse("admin:labeling_dataset_report", args=[world.dataset, "time"])
    before = store.head(SECURITY)
    answer = logged_in(world.maja).post(f"{address}?person=edda", {"name": "theirs"})
    denied = [event.data for event in store.read(SECURITY, after=before) if event.type == "CommandDenied"]
    assert answer.status_code == 302 and [data["dataset"] for data in denied] == [str(world.dataset)]


def test_a_report_on_how_labels_stand_asks_for_no_period(world):
    shown = page_of(logged_in(world.anke), world, "agreement").content.decode()
    assert 'name="base"' in shown and 'name="from"' not in shown
    assert (
        "must be the name of a label set"
        in page_of(logged_in(world.anke), world, "agreement", base="x").content.decode()
    )
    assert page_of(logged_in(world.anke), world, "agreement", at="0").status_code == 400
