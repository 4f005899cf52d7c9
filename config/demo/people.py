"""The demo's two people: made once, with a password for the one who logs in, and keys that live for one run."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from config.demo.job import LABELER, OWNER
from labeling.commands.people import add_person, create_key, operator, person_named, revoke_key
from labeling.errors import NotFound
from labeling.models import Person

LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that is taken for another


def make_people() -> str | None:
    """Make the people who are missing; the owner's new password, None where the owner was there already."""
    password = None
    if find(OWNER) is None:
        password = "-".join("".join(secrets.choice(LETTERS) for _ in range(5)) for _ in range(4))
        add_person(intent=operator("demo"), username=OWNER, password=password, superuser=True)
    if find(LABELER) is None:
        add_person(intent=operator("demo"), username=LABELER)
    return password


def find(username: str) -> Person | None:
    """The person of that name, if there is one."""
    try:
        return person_named(username)
    except NotFound:
        return None


@contextmanager
def keys_for_a_run() -> Iterator[dict[str, str]]:
    """An API key for each of the two, by name; revoked when the block ends."""
    made = {
        name: create_key(intent=operator("demo"), person=person_named(name), name="demo") for name in (OWNER, LABELER)
    }
    try:
        yield {name: secret for name, (_, secret) in made.items()}
    finally:
        for key, _ in made.values():
            revoke_key(intent=operator("demo"), key=key)
