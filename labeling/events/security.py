"""Who came in, who was refused, what left the house; in the security log.

`count` is how often it happened: the first time within a minute is told at once, the rest of the minute together.
What is not ours to remember in clear (a username that somebody tried, an address) is a keyed hash. `client` is the
program that the request was made with, in few words; `key` and `scope` are those of the API key, where there was one.
"""

from __future__ import annotations

from labeling.log.event import Fact


class LoginSucceeded(Fact, frozen=True):
    """A person logged in with a browser."""

    address: str
    count: int = 1
    client: str = ""


class LoginFailed(Fact, frozen=True):
    """Somebody gave a wrong username or password, or was locked out. Both are empty for several together."""

    username: str
    address: str
    locked: bool = False
    count: int = 1
    client: str = ""


class KeyUsed(Fact, frozen=True):
    """An API key was used; told once an hour."""

    key: str
    scope: str
    origin: str = "person"
    address: str = ""
    client: str = ""
    count: int = 1


class LoggedOut(Fact, frozen=True):
    """A person logged out."""

    count: int = 1


class CommandDenied(Fact, frozen=True):
    """Somebody was refused what they may not do, or came with a bad key. `path` is a template, without values."""

    action: str
    path: str
    dataset: str | None = None
    key: str | None = None
    address: str | None = None
    count: int = 1
    scope: str | None = None
    client: str = ""


class Downloaded(Fact, frozen=True):
    """A file with the labels of a dataset was downloaded."""

    what: str
    id: str
    dataset: str
    sha256: str
    address: str
    count: int = 1
    key: str | None = None
    client: str = ""
    release: str = ""  #: of which release, where `id` is that of an export of it
    format: str = ""  #: of an export


class AuditRead(Fact, frozen=True):
    """Somebody read an audit report, checkpoints or a bundle: of a dataset, or (null) of the installation."""

    what: str
    dataset: str | None = None
    form: str = ""
    address: str = ""
    count: int = 1
    key: str | None = None
    client: str = ""


SECURITY_EVENTS = (
    LoginSucceeded,
    LoginFailed,
    LoggedOut,
    KeyUsed,
    CommandDenied,
    Downloaded,
    AuditRead,
)
