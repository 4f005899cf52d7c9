"""Audit: what an auditor asks of a log, answered from the log alone. There is no second audit table.

A report (`report.py`) is a definition with a number of its version; its answer is a pure function of the definition, of
the question and of the offsets of the logs that it reads, so asked again it has the same bytes and the same digest.
`catalogue/` holds one report a file, pure; apps above add theirs. `sources.py` reads the logs for them, and
`writing.py` gives the rows the form of JSON, NDJSON, CSV, Markdown or a page.
"""
