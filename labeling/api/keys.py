"""The caller's own API keys."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer, no_content
from labeling.api.contract import Reply, documented
from labeling.api.requests import body_of, caller, intent_of, page_of, uuid_of
from labeling.api.schemas import keys as schemas
from labeling.api.schemas.forms import listed
from labeling.api.schemas.parameters import PAGING
from labeling.api.views import Answer, View
from labeling.commands import people as commands
from labeling.errors import NotFound
from labeling.models import ApiKey
from labeling.rules import access

JSON = dict[str, Any]


def rendered_key(key: ApiKey) -> JSON:
    """A key as it is known: the key itself is not."""
    return {
        "uuid": key.id,
        "name": key.name,
        "scope": key.scope,
        "origin": key.origin,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }


class KeysView(View):
    """The caller's keys."""

    @documented("keys", "account", {200: Reply(listed(schemas.KEY))}, parameters=PAGING)
    def get(self, request: Request) -> Answer:
        """All keys, the newest first, also revoked ones; the last use is right to the hour."""
        limit, skip = page_of(request)
        rows = ApiKey.objects.filter(person=self.person).order_by("-created_at", "id")[skip : skip + limit]
        return answer([rendered_key(row) for row in rows])

    @documented(
        "key_add",
        "account",
        {201: Reply(schemas.MADE_KEY)},
        body=schemas.NEW_KEY,
        appends=True,
        refusals=("refused", "reason_required"),
    )
    def post(self, request: Request) -> Answer:
        """Make a key: `name`, `scope` (read, label, manage), `origin` (person, model, service). `key` is shown once."""
        body = body_of(request)
        chosen = {key: body[key] for key in ("name", "scope", "origin") if key in body}
        if isinstance(request.auth, ApiKey):
            access.require_origin(chosen.get("origin", "person"), by=request.auth.origin)
        key, secret = commands.create_key(intent=intent_of(request), person=caller(request), **chosen)
        return answer(rendered_key(key) | {"key": secret}, status=201, headers={"Cache-Control": "no-store"})


class KeyView(View):
    """One of the caller's keys."""

    @documented("key_read", "account", {200: Reply(schemas.KEY)})
    def get(self, request: Request, key: str) -> Answer:
        """What is known of a key."""
        return answer(rendered_key(self._own(key)))

    @documented("key_revoke", "account", {204: Reply()}, appends=True, refusals=("reason_required",))
    def delete(self, request: Request, key: str) -> Answer:
        """Revoke a key, for good; programs that use it are refused from this moment on."""
        commands.revoke_key(intent=intent_of(request), key=self._own(key))
        return no_content()

    def _own(self, text: str) -> ApiKey:
        found_id = uuid_of(text)
        found = ApiKey.objects.filter(id=found_id, person=self.person).first() if found_id else None
        if found is None:
            raise NotFound("The key")
        return found
