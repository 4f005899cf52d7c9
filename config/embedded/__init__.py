"""A PostgreSQL of our own for installations without DATABASE_URL: its binaries, its supervisor, and the clients' lease.

Nothing here runs the code of the packages that carry the binaries: theirs makes system accounts, opens root's home
directory and trusts stale pid files.
"""
