"""What of a log is told as what, how it is signed, and how long somebody waits. Pure."""

from __future__ import annotations

import base64
import itertools
import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.log.event import Event, Intent, vocabulary
from labeling.rules import webhook_messages as rule
from labeling.rules.webhook_messages import PROTOCOL, messages, protocol_event, wait_s

LOG, HOOK, AUTHOR = (uuid.UUID(int=number, version=4) for number in (1, 2, 3))
SET_A, SET_B = "a" * 8, "b" * 8
DATA: dict[str, dict[str, Any]] = {
    "SampleAdded": {"sample": "s", "name": "a.png", "attributes": {}},
    "SamplePrioritySet": {"priority": 1.0},
    "SampleArchived": {},
    "LabelScoreSet": {"score": 0.5},
    "LabelDeleted": {},
    "DatasetDeleted": {},
    "DatasetSettingsChanged": {"changes": {}},
    "IssueArchived": {},
}


def event(offset: int, stream: str, type: str, command: int) -> Event:
    return Event(
        log=LOG, stream=stream, version=1, fact=vocabulary.decode(type, 1, DATA[type]),
        intent=Intent(author=AUTHOR, command=uuid.UUID(int=command)), event_id=uuid.UUID(int=offset),
        app_version="0", offset=offset,
    )  # fmt: skip


def told(
    events: list[Event],
    *,
    ends: bool = True,
    types: tuple[str, ...] = (),
    sets: tuple[str, ...] = (),
    before: set[str] | None = None,
):
    found = messages(HOOK, events, ends=ends, types=types, label_sets=sets, before=before or ())
    return [(message.offset, message.type) for message in found]


def test_nothing_tells_nothing():
    assert told([]) == []
    assert told([], ends=False) == []


def test_what_one_command_did_to_one_label_is_one_message_of_the_protocol():
    label = f"label/s/{SET_A}"
    page = [
        event(1, label, "LabelScoreSet", 1),
        event(2, label, "LabelScoreSet", 1),
        event(3, label, "LabelScoreSet", 2),
        event(4, "sample/s", "SampleAdded", 3),
        event(5, "sample/s", "SamplePrioritySet", 3),
        event(6, "sample/t", "SamplePrioritySet", 3),
        event(7, label, "LabelDeleted", 4),
    ]
    assert told(page) == [
        (2, "label.updated"),
        (3, "label.updated"),
        (5, "sample.created"),
        (6, "sample.updated"),
        (7, "label.deleted"),
    ]


def test_our_own_types_are_told_one_by_one_and_in_front_of_what_they_are_part_of():
    label = f"label/s/{SET_A}"
    page = [event(1, label, "LabelScoreSet", 1), event(2, label, "LabelScoreSet", 1)]
    assert told(page, types=("LabelScoreSet", "label.updated")) == [
        (1, "LabelScoreSet"),
        (2, "LabelScoreSet"),
        (2, "label.updated"),
    ]
    assert told(page, types=("sample.created",)) == []


def test_other_label_sets_are_left_out_and_what_is_no_label_is_not():
    page = [
        event(1, f"label/s/{SET_A}", "LabelScoreSet", 1),
        event(2, f"label/s/{SET_B}", "LabelScoreSet", 2),
        event(3, "dataset", "DatasetSettingsChanged", 3),
    ]
    assert told(page, sets=(SET_B,)) == [(2, "label.updated"), (3, "dataset.updated")]


def test_a_page_that_goes_on_tells_nothing_of_its_last_event():
    label = f"label/s/{SET_A}"
    page = [event(1, label, "LabelScoreSet", 1), event(2, label, "LabelScoreSet", 1)]
    assert told(page, ends=False) == []
    assert told([*page, event(3, label, "LabelScoreSet", 2)], ends=False) == [(2, "label.updated")]


KINDS = [
    ("label/s/a", "LabelScoreSet"), ("label/s/a", "LabelDeleted"), ("sample/s", "SampleAdded"),
    ("sample/s", "SamplePrioritySet"), ("sample/s", "SampleArchived"), ("dataset", "DatasetSettingsChanged"),
]  # fmt: skip


def in_front(log: list[Event], first: Event) -> set[str]:
    """The types of the run that an event goes on, slowly."""
    found = set()
    for earlier in reversed(log[: (first.offset or 0) - 1]):
        if (earlier.stream, earlier.intent.command) != (first.stream, first.intent.command):
            break
        found.add(earlier.type)
    return found


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 3)), max_size=12),
    st.integers(1, 5),
)
def test_the_messages_do_not_depend_on_how_the_log_is_cut_into_pages(steps, size):
    log = [event(number, stream, type, command) for number, ((stream, type), command) in enumerate(steps, 1)]
    pages = [log[at : at + size + 1] for at in range(0, len(log), size)]
    cut = [told(page, ends=page[-1] is log[-1], before=in_front(log, page[0])) for page in pages]
    if pages and len(pages[-1]) == 1 and len(pages) > 1:  # the last event was looked at by the page before
        pages, cut = pages[:-1], [*cut[:-2], cut[-2]]
    joined = list(dict.fromkeys(itertools.chain.from_iterable(cut)))
    assert joined == told(log)


def test_an_id_is_the_same_whenever_it_is_told_and_another_for_everything_else():
    page = [event(1, "sample/s", "SampleAdded", 1)]
    (one,) = messages(HOOK, page, ends=True, types=())
    (again,) = messages(HOOK, page, ends=True, types=())
    (other,) = messages(AUTHOR, page, ends=True, types=())
    (raw,) = messages(HOOK, page, ends=True, types=("SampleAdded",))
    assert one.id == again.id
    assert len({one.id, other.id, raw.id}) == 3


@pytest.mark.parametrize(
    "kind, types, name",
    [
        ("dataset", {"DatasetCreated", "MemberAdded"}, "dataset.created"),
        ("dataset", {"MemberAdded"}, "dataset.updated"),
        ("dataset", {"DatasetDeleted"}, "dataset.deleted"),
        ("issue", {"IssueOpened"}, "issue.created"),
        ("issue", {"IssueArchived"}, "issue.updated"),
        ("release", {"ReleaseCut"}, "release.created"),
        ("release", {"ReleaseWithdrawn"}, ""),
        ("asset", {"AssetAdded"}, ""),
        ("activity", {"ActivityClosed"}, ""),
        ("webhook", {"WebhookAdded"}, ""),
    ],
)
def test_the_words_of_the_protocol(kind, types, name):
    assert protocol_event(kind, types) == name
    assert name in ("", *PROTOCOL)


def test_a_signature_is_the_one_that_others_publish():
    # The example of Svix's documentation on verifying by hand, which sends the protocol's webhooks.
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    found = rule.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    sent = rule.headers([secret, b"x"], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert sent["Webhook-Signature"] == sent["Svix-Signature"]
    assert sent["Svix-Signature"].split()[0] == found
    assert json.loads(body)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waiting_gets_longer_and_ends(failures, chance):
    least, most = wait_s(failures, 0.0), wait_s(failures, 1.0)
    assert least <= wait_s(failures, chance) <= most == 2 * least <= rule.LONGEST_WAIT_S
    assert wait_s(failures + 1, 0.0) >= least
