"""The verbs: each loads what it touches, runs a rule, and appends. One command, one transaction, all or nothing.

The API, the admin, actors and management commands all go through these, so that every change is in the log with its
author.
"""
