"""Take keys that this installation signs with into use, and retire them. Their private halves are in `signing`."""

from __future__ import annotations

import os
from collections.abc import Callable

from labeling import signing
from labeling.commands.writing import decide
from labeling.log import store
from labeling.log.event import INSTALLATION, Fact, Intent
from labeling.rules import signing_keys as rules
from labeling.rules.signing_keys import SigningKeyState, signing_key_stream


def add_signing_key(*, intent: Intent) -> str:
    """Take a key into use: that of SIGNING_KEY where it is set, else a new one, kept in the data directory. From now on
    it signs what this machine signs. Returns its id.

    Raises:
        AlreadyExists: the key of SIGNING_KEY is known; for another one, set another.
        SigningFailed: SIGNING_KEY holds none.
        OSError: the data directory takes no file.
    """
    seed = signing.seed_of_environment()
    is_new = seed is None
    if seed is None:
        seed = os.urandom(signing.SEED_BYTES)
        signing.keep_private_half(seed)  # first: a key in the log whose private half is lost could never sign
    public = signing.public_half(seed)
    key = signing.key_id(public)
    try:
        _change(key, intent, lambda state: rules.add(state, public=public.hex()))
    except BaseException:
        if is_new:
            signing.destroy_private_half(key)
        raise
    return key


def retire_signing_key(*, intent: Intent, key: str) -> bool:
    """Sign nothing more with a key, and destroy its private half where it is in this data directory (returned). What it
    signed stays valid.

    Raises:
        NotFound: there is no such key.
        Refused: it was retired before.
    """
    _change(key, intent, rules.retire)
    return signing.destroy_private_half(key)


def _change(key: str, intent: Intent, rule: Callable[[SigningKeyState], list[Fact]]) -> None:
    stream = signing_key_stream(key)

    def attempt() -> None:
        state = rules.fold(SigningKeyState(INSTALLATION, stream), list(store.read_stream(INSTALLATION, stream)))
        events = store.new_events(INSTALLATION, intent, [(stream, state.version, fact) for fact in rule(state)])
        store.append(
            INSTALLATION,
            intent=intent,
            events=events,
            rows=rules.rows(rules.fold(state, events)),
            expected={stream: state.version},
            open_as="installation",
        )

    decide(attempt)
