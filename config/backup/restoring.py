"""Puts an archive back into an installation that has nothing yet, in one transaction of the database.

Tables are made, rows put in, everything verified, and only then is any of it there: whatever ends this process, what
is left is as empty as it was, and the next try begins anew. Files come before that end, each under its own hash, where
they do no harm alone.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import Error as DatabaseError

from config.backup import reading, tables, verifying
from config.backup.archive import BadArchive, Source
from config.backup.contents import Columns, Manifest, Opening
from config.backup.files import Placing
from config.backup.reading import Progress
from config.backup.verifying import Verified
from config.home import give_to_owner
from labeling.commands.people import append_to_installation, operator
from labeling.events import SystemRestored

OURS = "palimpsest"


class RestoreFailed(Exception):
    """Nothing was restored; the message is one sentence for the person at the terminal."""


class Unsound(RestoreFailed):
    """What is in the archive was not sound when it was made; nothing was restored."""

    def __init__(self, verified: Verified) -> None:
        super().__init__("What the archive holds was not sound when it was made, so it was not restored.")
        self.findings = verified.findings


def restore(
    source: Source,
    *,
    despite_faults: bool = False,
    tells: bool = True,
    progress: Progress = lambda what, done: None,
) -> tuple[Manifest, Verified]:
    """Put an archive into the empty installation of the settings, and return what it was and what was verified. That it
    was put back is an event of the installation's log (`tells`), behind all that came back.

    Raises:
        BadArchive: it is damaged, or of somebody else.
        Unsound: its logs do not verify, and `despite_faults` is not said.
        RestoreFailed: the installation is not empty, in use, older than the archive, or takes no more.
    """
    placing: Placing | None = None
    try:
        with _alone(), transaction.atomic(), ExitStack() as stack:
            placing = Placing()
            restoring = _Restoring(placing, stack, progress, despite_faults=despite_faults, tells=tells)
            manifest = reading.read(source, restoring, progress)
            assert restoring.verified is not None
            return manifest, restoring.verified
    except BaseException as error:
        if placing is not None:
            placing.take_back()
        if isinstance(error, DatabaseError | psycopg.Error):
            raise RestoreFailed(_why_not_taken(error)) from error
        if isinstance(error, OSError):
            raise RestoreFailed(_why_not_written(error)) from error
        raise


@contextmanager
def _alone() -> Iterator[None]:
    """The lock of who sets up tables, so that no `serve` does it at the same time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('palimpsest migrate'))")
        if not cursor.fetchone()[0]:
            raise RestoreFailed("Another command is setting up this database; try again when it has ended.")
    try:
        yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext('palimpsest migrate'))")


class _Restoring:
    """Receives an archive inside of a transaction."""

    def __init__(
        self, placing: Placing, stack: ExitStack, progress: Progress, *, despite_faults: bool, tells: bool
    ) -> None:
        self.tells = tells
        self.placing = placing
        self.stack = stack
        self.progress = progress
        self.despite_faults = despite_faults
        self.verified: Verified | None = None
        self.names: list[str] = []

    def opening(self, opening: Opening) -> None:
        """Make the tables as they were in the installation of the archive.

        Raises:
            RestoreFailed: this database cannot take them.
        """
        tables.settle()
        _refuse_if_in_use()
        _make_tables(opening)
        self.names = tables.in_database()
        here = {name: tables.described(name) for name in self.names}
        if {table.name: set(table.columns) for table in opening.tables} != {
            name: set(table.columns) for name, table in here.items()
        }:
            raise BadArchive("The archive holds other tables than its version of Palimpsest has.")
        self.loading = self.stack.enter_context(ExitStack())
        self.loading.enter_context(tables.loading(self.names))

    def table(self, table: Columns, pieces: Iterator[bytes]) -> int:
        """Put the rows in."""
        return tables.copy_in(table, pieces)

    def file(self, path: str, sha256: str, size_bytes: int, pieces: Iterator[bytes]) -> None:
        """Put the file in its place."""
        self.placing.put(path, sha256, size_bytes, pieces)

    def manifest(self, manifest: Manifest, secret_key: bytes | None) -> None:
        """Bring the tables up to this version, and verify.

        Raises:
            Unsound: see there.
        """
        self.loading.close()
        verifying.compare(manifest)
        call_command("migrate", interactive=False, verbosity=0)
        self.verified = verifying.verify_all(manifest, self.progress)
        if self.verified.findings and not self.despite_faults:
            raise Unsound(self.verified)
        if self.tells:
            self._tell(manifest)
        if secret_key is not None and not os.environ.get("SECRET_KEY"):
            _keep_secret_key(secret_key)

    def _tell(self, manifest: Manifest) -> None:
        """Say in the installation's log that it was put back, and from what: behind everything that came back."""
        assert self.verified is not None
        restored = SystemRestored(
            backup=manifest.sha256,
            made_at=manifest.opening.made_at,
            logs=len(manifest.logs),
            events=sum(log.head for log in manifest.logs),
            faults=len(self.verified.findings),
        )
        append_to_installation(operator("restore"), "system", restored)


def _refuse_if_in_use() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND application_name LIKE %s",
            [f"{OURS}%"],
        )
        if cursor.fetchone()[0]:
            raise RestoreFailed("Palimpsest is running on this database; stop it, and restore then.")
    held = tables.with_rows([name for name in tables.in_database() if name not in tables.FILLED_BY_MIGRATE])
    if held:
        raise RestoreFailed(
            f"This installation is not empty ({', '.join(held[:3])}{' …' if held[3:] else ''}), and a restore never"
            " overwrites; set PALIMPSEST_HOME to a new directory, or DATABASE_URL to an empty database."
        )


def _make_tables(opening: Opening) -> None:
    """Migrate to the very state that the archive was made in."""
    executor = MigrationExecutor(connection)
    wanted, known = set(opening.migrations), set(executor.loader.disk_migrations)
    if wanted - known:
        raise RestoreFailed(
            f"The archive is of a newer version of Palimpsest ({opening.app_version:.40}); restore it with that."
        )
    if set(executor.loader.applied_migrations) - wanted:
        raise RestoreFailed(
            "The archive is of an older version than this database was set up by; set PALIMPSEST_HOME to a new"
            " directory, or DATABASE_URL to an empty database, where nothing was set up yet."
        )
    if wanted == set(executor.loader.applied_migrations):
        return
    if wanted == known:
        call_command("migrate", interactive=False, verbosity=0)
        return
    graph = executor.loader.graph
    newest = [key for key in wanted if not {child.key for child in graph.node_map[key].children} & wanted]
    executor.migrate(sorted(newest))
    if set(MigrationExecutor(connection).loader.applied_migrations) != wanted:
        raise BadArchive("The archive is damaged: no version of Palimpsest has the tables that it names.")


def _keep_secret_key(secret_key: bytes) -> None:
    """Put the key in the place of the one that was made for the empty installation."""
    path: Path = settings.HOME / "secret_key"
    handle, name = tempfile.mkstemp(prefix=".secret_key-", dir=settings.HOME)
    fresh = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secret_key)
            file.flush()
            os.fsync(file.fileno())
        give_to_owner(fresh, settings.HOME)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def _why_not_taken(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, psycopg.Error) else error
    state = getattr(cause, "sqlstate", None) or type(cause).__name__
    if state == "53100":
        return "The database's disk is full; nothing was restored."
    if state[:2] in ("22", "23"):
        return f"The archive's rows do not fit together (PostgreSQL says {state}); nothing was restored."
    return f"The database did not take the archive (PostgreSQL says {state}); nothing was restored."


def _why_not_written(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full; nothing was restored."
    return f"A file cannot be put into the storage ({error.strerror or type(error).__name__}); nothing was restored."
