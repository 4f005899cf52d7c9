"""The server's place in the temporary directory: sockets with a short path, and a copy of the binaries if need be."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

from config.embedded.binaries import Binaries, copy_out, reachable

SOCKET_PATH_LIMIT_BYTES = 103
PREFIX = "palimpsest-"


class Runtime:
    """A directory of ours with `s` for the sockets, private to the server's account, and `pg` for copied binaries.

    `account` is the (uid, gid) that the server runs as, None for our own. `last` is the socket directory of a server
    whose supervisor was killed: it is taken again if it is still ours, because clients that are running know it.

    Raises:
        OSError: no directory with a short path can be made, or none that allows programs where one must.
    """

    def __init__(self, account: tuple[int, int] | None, port: int, binaries: Binaries, last: str | None) -> None:
        self.account = account
        self.binaries = binaries
        needed = [binaries.postgres, binaries.initdb, *(os.path.join(binaries.root, part) for part in binaries.parts)]
        self._must_copy = account is not None and not all(reachable(path, *account) for path in needed)
        known = Path(last).parent if last is not None else None
        self.directory = known if known is not None and self._is_ours(known) else self._make(port)
        # Cleaners of the temporary directory leave a locked directory alone.
        self._lock = os.open(self.directory, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    @property
    def sockets(self) -> Path:
        """The directory of the sockets."""
        return self.directory / "s"

    def binaries_within_reach(self) -> Binaries:
        """Return binaries that the server's account can run: the given ones, or a copy of them.

        Raises:
            OSError: they cannot be copied.
        """
        if not self._must_copy:
            return self.binaries
        target = self.directory / "pg"
        shutil.rmtree(target, ignore_errors=True)
        return copy_out(self.binaries, target)

    def remove(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.directory, ignore_errors=True)
        os.close(self._lock)

    def _make(self, port: int) -> Path:
        for place in dict.fromkeys(os.path.realpath(each) for each in (tempfile.gettempdir(), "/tmp", "/var/tmp")):
            longest = os.path.join(place, f"{PREFIX}12345678", "s", f".s.PGSQL.{port}.lock")
            if "," in longest or len(os.fsencode(longest)) > SOCKET_PATH_LIMIT_BYTES or not os.access(place, os.W_OK):
                continue
            if self.account and not reachable(place, *self.account):
                continue
            if self._must_copy and os.statvfs(place).f_flag & getattr(os, "ST_NOEXEC", 0):
                continue
            directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
            sockets = directory / "s"
            sockets.mkdir(mode=0o700)
            if self.account:
                directory.chmod(0o711)
                os.chown(sockets, *self.account)
            return directory
        programs = " that allows programs" if self._must_copy else ""
        raise OSError(f"there is no directory for its socket; set TMPDIR to one with a short path{programs}")

    def _is_ours(self, directory: Path) -> bool:
        """Say whether this is still the private directory that we made, not one that another account put there."""
        try:
            outer, inner = os.lstat(directory), os.lstat(directory / "s")
        except OSError:
            return False
        uid = self.account[0] if self.account else os.geteuid()
        outer_mode = 0o711 if self.account else 0o700
        return (
            directory.name.startswith(PREFIX)
            and (outer.st_uid, outer.st_mode) == (os.geteuid(), stat.S_IFDIR | outer_mode)
            and (inner.st_uid, inner.st_mode) == (uid, stat.S_IFDIR | 0o700)
        )
