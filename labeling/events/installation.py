"""What happened to people, organisations and keys, in the log of the installation. Names are not in the log."""

from __future__ import annotations

from typing import Any

from labeling.log.event import Fact


class PersonAdded(Fact, frozen=True):
    """A person, an organisation or a service got an account. Names are not in the log."""

    kind: str = "person"
    staff: bool = False
    superuser: bool = False


class PersonChanged(Fact, frozen=True):
    """An account was activated, deactivated, or got or lost rights in the admin; or its names or password changed."""

    changes: dict[str, bool] = {}
    renamed: bool = False
    password: bool = False


class PersonErased(Fact, frozen=True):
    """A person's data was erased: names, e-mail address, password, keys, sessions and signals, and the key of all that
    they wrote. What they did stays, by `erased-` and this number; so many of each kind went."""

    number: int
    api_keys: int = 0
    sessions: int = 0
    signals: int = 0


class FileErased(Fact, frozen=True):
    """The bytes of an uploaded file were erased, with all uploads of the same bytes; each dataset that refers to them
    has an AssetErased of its own."""

    sha256: str
    size_bytes: int
    uploads: int
    datasets: list[str] = []


class SystemRestored(Fact, frozen=True):
    """The whole installation was put back from a backup: `backup` is the hash of its manifest, `made_at` when it was
    made, and `logs` how many logs came back with so many `events` in all."""

    backup: str
    made_at: str
    logs: int
    events: int
    faults: int = 0  #: what did not verify, and was put back all the same


class KeyCreated(Fact, frozen=True):
    """An API key was made; only its hash is kept, and not in the log."""

    key: str
    scope: str = "manage"
    origin: str = "person"


class KeyRevoked(Fact, frozen=True):
    """An API key was revoked."""

    key: str


class OrganizationMemberAdded(Fact, frozen=True):
    """A person joined the organisation."""

    person: str
    role: str


class OrganizationMemberRoleChanged(Fact, frozen=True):
    """A person got another role in the organisation."""

    person: str
    role: str


class OrganizationMemberRemoved(Fact, frozen=True):
    """A person left the organisation; what they did stays theirs."""

    person: str


class SigningKeyAdded(Fact, frozen=True):
    """A key that the installation signs with was taken into use. Its private half is nowhere in the log."""

    key: str  #: its id, which follows from the public half
    public: str  #: the public half, in hex
    algorithm: str = "Ed25519"


class SigningKeyRetired(Fact, frozen=True):
    """A signing key signs nothing more; what it signed before stays valid."""

    key: str


class LogCheckpointSigned(Fact, frozen=True):
    """The chain hash of a log at an offset was signed; `statement` is what was, see rules.checkpoints."""

    log: str
    statement: dict[str, Any]
    signature: dict[str, Any]


class ClockSetBack(Fact, frozen=True):
    """The clock that the server's times are by was found to be set back: by at least `by_ms`, when it said `clock_us`
    and had to be at `latest_us` (microseconds since 1970). Until it has passed that, what is recorded seems to happen
    at once; its order is that of the offsets. A clock that goes back again and again is told once an hour."""

    by_ms: int
    clock_us: int
    latest_us: int


ORGANIZATION_EVENTS = (
    OrganizationMemberAdded,
    OrganizationMemberRoleChanged,
    OrganizationMemberRemoved,
)

SIGNING_KEY_EVENTS = (SigningKeyAdded, SigningKeyRetired)

INSTALLATION_EVENTS = (
    PersonAdded,
    PersonChanged,
    PersonErased,
    FileErased,
    SystemRestored,
    KeyCreated,
    KeyRevoked,
    LogCheckpointSigned,
    ClockSetBack,
    *ORGANIZATION_EVENTS,
    *SIGNING_KEY_EVENTS,
)
