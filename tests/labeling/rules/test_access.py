"""The table of who may do what, written down a second time, cell by cell."""

from __future__ import annotations

import itertools
import uuid

import pytest

from labeling.errors import NotFound, NotPermitted
from labeling.rules import access
from labeling.rules.dataset_state import ROLES
from labeling.rules.edits.mentions import VERBS
from labeling.rules.label_state import STATUSES

DATASET = uuid.UUID("dddddddd-dddd-4ddd-8ddd-dddddddddddd")

# One column a role: nobody, viewer, labeler, reviewer, manager, admin; x may. In a private dataset.
TABLE = """
read            . x x x x x
history         . x x x x x
issue           . x x x x x
moderate        . . . . x x
label           . . x x x x
review          . . . x x x
override        . . . . x x
restore         . . . . x x
audit           . . . . . x
assign          . . . . x x
work            . . . . x x
members         . . . . x x
members-admin   . . . . . x
change          . . . . . x
clone           . . . . . x
webhooks        . . . . . x
release         . . . . . x
train           . . x x x x
delete          . . . . . x
"""
CELLS = [
    (line.split()[0], role, cell == "x")
    for line in TABLE.strip().splitlines()
    for role, cell in zip((None, *ROLES), line.split()[1:], strict=True)
]


def test_the_table_names_every_action_and_no_other():
    assert list(access.ACTIONS) == list(dict.fromkeys(action for action, _, _ in CELLS))


@pytest.mark.parametrize("action, role, allowed", CELLS)
def test_in_a_private_dataset_each_role_may_do_what_the_table_says(action, role, allowed):
    assert access.may(action, role=role, public=False) is allowed
    if allowed:
        access.require(action, role=role, public=False)
    else:
        with pytest.raises(NotFound if role is None else NotPermitted):
            access.require(action, role=role, public=False)


@pytest.mark.parametrize("action, role, allowed", CELLS)
def test_a_public_dataset_lets_everybody_read_and_clone_and_nobody_do_more(action, role, allowed):
    allowed = allowed or action in ("read", "clone")
    assert access.may(action, role=role, public=True) is allowed
    if not allowed:
        with pytest.raises(NotPermitted) as refused:
            access.require(action, role=role, public=True, dataset=DATASET)
        assert (refused.value.action, refused.value.dataset) == (action, DATASET)


@pytest.mark.parametrize("role", ["", "owner", "Admin", "administrator"])
@pytest.mark.parametrize("action", access.ACTIONS)
def test_a_role_that_is_none_may_nothing(action, role):
    assert not access.may(action, role=role, public=False)


def test_an_action_that_is_none_is_a_bug_and_not_a_permission():
    with pytest.raises(KeyError):
        access.require("Read", role="admin", public=True)


def test_each_role_may_do_all_that_the_one_below_it_may():
    for lower, higher in itertools.pairwise(ROLES):
        for action, wanted in access.ACTIONS.items():
            assert lower not in wanted.roles or higher in wanted.roles, action


@pytest.mark.parametrize(
    "action, need",
    [
        ("label", "Labeling needs the role labeler, reviewer, manager or admin."),
        ("review", "Accepting, rejecting and verifying labels needs the role reviewer, manager or admin."),
        ("assign", "Assigning samples and setting their priority needs the role manager or admin."),
        ("delete", "Deleting the dataset needs the role admin."),
        ("history", "Reading the history needs membership of the dataset."),
    ],
)
def test_a_refusal_says_what_it_would_take(action, need):
    with pytest.raises(NotPermitted) as refused:
        access.require(action, role=None, public=True)
    assert refused.value.message == f"You do not have permission to perform this action. {need}"


@pytest.mark.parametrize(
    "roles, action",
    [
        ((), "members"),
        (("viewer",), "members"),
        (("labeler", "manager"), "members"),
        (("admin",), "members-admin"),
        (("admin", "viewer"), "members-admin"),
        (("viewer", "admin"), "members-admin"),
        ((None, "admin"), "members-admin"),
    ],
)
def test_only_admins_make_and_unmake_admins(roles, action):
    assert access.members_action(*roles) == action


def test_every_verb_of_an_edit_has_its_action():
    assert VERBS.keys() <= access.VERBS.keys()
    assert set(access.VERBS.values()) <= access.ACTIONS.keys()


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("setting", [*access.ON_ACCEPTED, None, "nonsense"])
def test_a_labelers_edit_of_an_accepted_label_does_what_the_dataset_says(status, role, setting):
    said = access.on_accepted(status, role=role, setting=setting)
    if status in ("REVIEWED", "VERIFIED") and role in ("viewer", "labeler"):
        assert said == (setting if setting in ("reopen", "refuse", "allow") else "reopen")
    else:
        assert said == "allow"


# own role, role in the owning organisation, is the owner, is a superuser → acts as
ACTING = [
    (None, None, False, False, None),
    ("viewer", None, False, False, "viewer"),
    ("admin", None, False, False, "admin"),
    (None, "member", False, False, "viewer"),
    ("viewer", "member", False, False, "viewer"),
    ("labeler", "member", False, False, "labeler"),
    ("admin", "member", False, False, "admin"),
    (None, "administrator", False, False, "admin"),
    ("labeler", "administrator", False, False, "admin"),
    (None, None, True, False, "admin"),
    (None, None, False, True, "admin"),
    ("viewer", "member", False, True, "admin"),
]


@pytest.mark.parametrize("own, organization_role, is_owner, is_superuser, acts_as", ACTING)
def test_the_strongest_of_somebodys_roles_counts(own, organization_role, is_owner, is_superuser, acts_as):
    found = access.acting_role(own, organization_role=organization_role, is_owner=is_owner, is_superuser=is_superuser)
    assert found == acts_as


@pytest.mark.parametrize(
    "action, role, allowed",
    [
        ("members", None, False),
        ("members", "member", True),
        ("members", "administrator", True),
        ("datasets", None, False),
        ("datasets", "member", True),
        ("datasets", "administrator", True),
        ("manage", None, False),
        ("manage", "member", False),
        ("manage", "administrator", True),
    ],
)
def test_in_an_organization_each_role_may_do_what_the_table_says(action, role, allowed):
    if allowed:
        access.require_in_organization(action, role=role)
    else:
        with pytest.raises(NotPermitted, match="You need to be"):
            access.require_in_organization(action, role=role)


def test_who_manages_an_organization_without_being_its_administrator_is_told_so_in_the_sdks_words():
    with pytest.raises(NotPermitted, match="need to be an administrator"):
        access.require_in_organization("manage", role="member")


@pytest.mark.parametrize("scope, needed", [*itertools.product(access.SCOPES, access.SCOPES)])
def test_a_key_may_do_what_its_scope_covers(scope, needed):
    order = ["read", "label", "manage"]
    if order.index(scope) >= order.index(needed):
        access.require_scope(needed, scope=scope)
    else:
        with pytest.raises(NotPermitted, match=f"scope of this API key is {scope}.* of the scope {needed}"):
            access.require_scope(needed, scope=scope)


def test_a_scope_that_is_none_is_refused_loudly():
    with pytest.raises(ValueError):
        access.require_scope("read", scope="")
