"""Django's PostgreSQL backend, with a look at a kept connection that costs no statement."""
