"""Sign a label: with one's password given again, under exactly what it says now.

A signature is an event in a stream of its own that names version and content hash of the label, so it cannot be put
under another one, and shows by itself whether the label was edited since.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from labeling import events as e
from labeling.commands import logins, security
from labeling.commands.labels import label_for
from labeling.commands.writing import decide, hint
from labeling.errors import InvalidValue, NotFound, NotPermitted, Refused, VersionUnknown
from labeling.log import store
from labeling.log.event import Intent
from labeling.log.rows import Rows
from labeling.models import Person
from labeling.queries.signatures import Signature, signatures_of
from labeling.rules.content import content_hash
from labeling.rules.signatures import OF_LABEL, signature_stream
from labeling.texts import encrypt


def sign_label(
    *,
    intent: Intent,
    sample: uuid.UUID,
    label_set: str,
    meaning: Any,
    version: Any,
    password: Any,
    address: str = "",
) -> Signature:
    """Sign a label at the version that the author saw, which must be the newest. The same signature again is the one
    that there is.

    Raises:
        NotFound: no such label.
        NotPermitted: the author may not review here, is no person, or the password is wrong.
        InvalidValue: the meaning or the version is none.
        VersionUnknown: the label was changed since that version.
        Refused: the author has no password.
    """
    if meaning not in OF_LABEL:
        raise InvalidValue("meaning", f"must be one of {', '.join(OF_LABEL)}")
    if type(version) is not int or version < 1:
        raise InvalidValue("version", "must be the version of the label that you saw, as its ETag gives it")
    found = label_for(sample, label_set, intent, "review")
    name = printed_name(intent, password, address)
    intent = unnamed(intent)

    def attempt() -> Signature:
        found = label_for(sample, label_set, intent, "review")
        if not found.state.exists:
            raise NotFound("The label")
        if found.state.version != version:
            raise VersionUnknown("The label was changed since that version; read it again, and sign what it says now.")
        content, stream = content_hash(found.state), signature_stream(found.sample, found.label_set)
        known = signatures_of(found.dataset, stream)
        for item in known:
            if (item.person, item.meaning, item.content, item.version) == (intent.author, meaning, content, version):
                return item
        before = store.version(found.dataset, stream)
        fact = e.LabelSigned(meaning=meaning, label_version=version, content=content, name=name)
        events = store.new_events(found.dataset, intent, [(stream, before, fact)])
        expected = {stream: before, found.state.stream: version}
        appended = store.append(found.dataset, intent=intent, events=events, rows=Rows(), expected=expected)
        hint(found.dataset, appended)
        return signatures_of(found.dataset, stream)[-1]

    del found  # who may not even look is refused before the password is
    return decide(attempt)


def printed_name(intent: Intent, password: Any, address: str) -> str:
    """The name of who signs, as it is stored, once their password was right.

    Raises:
        NotPermitted: it was not, or too many were wrong of late, or it is no person who signs.
        InvalidValue: there is none.
        Refused: the author has no password.
    """
    if intent.author_kind != "person" or intent.on_behalf_of is not None:
        raise NotPermitted("Only people sign, and for themselves.", action="sign")
    if not isinstance(password, str) or not password:
        raise InvalidValue("password", "is required again, to sign")
    person = Person.objects.get(id=intent.author)
    if not person.has_usable_password():
        raise Refused("You have no password, so you cannot sign; set one, or have one set.")
    if not logins.may_try("sign", person.username, address):
        minutes = logins.LOCKED_S // 60
        raise NotPermitted(f"Too many wrong passwords. Try again in {minutes} minutes.", action="sign")
    if not person.check_password(password):
        security.login_failed(username=person.username, source=security.Source(address=address), locked=False)
        raise NotPermitted("The password is not right.", action="sign")
    logins.forget("sign", person.username, address)
    return encrypt(person.get_full_name() or person.username, person=person.id)


def unnamed(intent: Intent) -> Intent:
    """The intent without the hash of its request, which held a password; a retry is known by what it would sign."""
    return replace(intent, request_hash=None, command=uuid.uuid4())
