"""People, organisations, and the members of either."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import FLAG, MOMENT, TEXT, closed, listed, nullable, one_of, record, said, text
from labeling.api.schemas.parameters import USERNAME
from labeling.rules.access import ORGANIZATION_ROLES
from labeling.rules.dataset_state import ROLES

JSON = dict[str, Any]

STATUS = component("Status", closed({"status": {"const": "ok"}}), example={"status": "ok"})
_since = "2026-01-05T08:00:00.123456+00:00"
_ana = {"username": "ana", "created_at": _since, "is_organization": False}
_firm = {"username": "firm", "created_at": _since, "is_organization": True}
_REQUIRED: JSON = {"username": TEXT, "created_at": MOMENT, "is_organization": FLAG}
_IN_ORGANIZATION: JSON = {
    "organization_role": said({"const": "admin"}, "An administrator; the protocol has no word for the others."),
    "palimpsest_organization_role": one_of(*ORGANIZATION_ROLES),
}
USER = component(
    "User",
    closed(_REQUIRED, _IN_ORGANIZATION, description="Somebody; in an organisation with the role there."),
    example=_ana,
)
_member = _ana | {"palimpsest_organization_role": "member"}
ORGANIZATION_MEMBER = component(
    "OrganizationMember",
    closed(_REQUIRED | {"palimpsest_organization_role": one_of(*ORGANIZATION_ROLES)}, _IN_ORGANIZATION),
    example=_member,
)
_in_firm = _firm | {"organization_role": "admin", "palimpsest_organization_role": "administrator"}
SELF = component(
    "Self",
    closed(_REQUIRED | {"email": TEXT, "organizations": listed(ORGANIZATION_MEMBER)}),
    example=_ana | {"email": "ana@example.org", "organizations": [_in_firm]},
)
ORGANIZATION = component(
    "Organization",
    closed(
        _REQUIRED | {"palimpsest_organization_role": one_of(*ORGANIZATION_ROLES)},
        _IN_ORGANIZATION
        | {
            "members": listed(ORGANIZATION_MEMBER),
            "organization_created_by": said(nullable(TEXT), "Who made its account; null where that was an operator."),
        },
        description="As its members see it.",
    ),
    example=_in_firm | {"members": [_member], "organization_created_by": None},
    gives={"organization": "$response.body#/username"},
)
ANYBODY = component(
    "Anybody",
    {"anyOf": [SELF, ORGANIZATION, USER], "description": "Oneself, an organisation as its members see it, or a user."},
    example=_ana,
)
NEW_ORGANIZATION = component(
    "NewOrganization",
    record({"username": USERNAME}, {"email": text(254)}),
    example={"username": "firm", "email": "office@example.org"},
)
NEW_ORGANIZATION_MEMBER = component(
    "NewOrganizationMember",
    record({"user": said(TEXT, "A username.")}, {"role": one_of(*ORGANIZATION_ROLES)}),
    example={"user": "ana", "role": "member"},
)
ORGANIZATION_ROLE = component(
    "OrganizationRole", record({"role": one_of(*ORGANIZATION_ROLES)}), example={"role": "administrator"}
)

_role = said(one_of(*ROLES[1:]), "The protocol has no viewer: labeler stands for it here.")
COLLABORATOR = component(
    "Collaborator",
    closed({"user": USER, "role": _role, "palimpsest_role": one_of(*ROLES)}),
    example={"user": _ana, "role": "labeler", "palimpsest_role": "viewer"},
    gives={"username": "$response.body#/user/username"},
)
NEW_COLLABORATOR = component(
    "NewCollaborator",
    record({"user": said(TEXT, "A username.")}, {"role": said(one_of(*ROLES), "labeler unless said.")}),
    example={"user": "ben", "role": "labeler"},
)
ROLE = component("Role", record({"role": one_of(*ROLES)}), example={"role": "reviewer"})
