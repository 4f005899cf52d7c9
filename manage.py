#!/usr/bin/env python3
"""Palimpsest's commands: `python3 manage.py demo` shows it at work, `python3 manage.py help` lists the rest.

Standard library only until the environment is there; in the syntax of Python 3.6, like config/bootstrap.
"""

import os
import sys

# Commands that read no data of the installation; all others get the embedded database where DATABASE_URL names none.
WITHOUT_DATABASE = frozenset(
    "bench check collectstatic compilemessages diffsettings help makemessages spectacular startapp startproject test "
    "upgrade version".split()
)


def main() -> None:
    """Run one command in the checkout's own environment, with a database where it needs one."""
    checkout = os.path.dirname(os.path.realpath(__file__))
    if checkout not in sys.path:
        sys.path.insert(0, checkout)
    if os.name != "posix":
        sys.exit("Palimpsest runs on Linux and macOS; on Windows, use WSL or the container image.")
    from config import bootstrap

    bootstrap.ensure(sys.argv)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"  # another project's may be in the environment
    if needs_embedded_database(sys.argv[1:]):
        attach_embedded_database()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


def needs_embedded_database(arguments: "list[str]") -> bool:
    """Return whether a command line reads the installation's data and no other database is given for it."""
    asks_for_help = not arguments or arguments[0].startswith("-") or "--help" in arguments or "-h" in arguments
    only_reads_a_file = arguments[:1] == ["restore"] and "--check" in arguments
    return not (
        asks_for_help or only_reads_a_file or arguments[0] in WITHOUT_DATABASE or os.environ.get("DATABASE_URL")
    )


def attach_embedded_database() -> None:
    """Keep the embedded PostgreSQL of the data directory running for as long as this process lives."""
    from config import home
    from config.embedded import lease

    try:
        lease.attach(home.prepare())
    except (home.HomeError, lease.EmbeddedDatabaseError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
