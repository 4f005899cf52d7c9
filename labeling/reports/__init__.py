"""Reports: what the log says about work, computed when it is asked for.

The one projection behind them is the ledger (`ledger.py`): the envelopes of a dataset's events in columns, a row for
every 512 offsets, so that any report is arithmetic over arrays: at any offset, for any idle threshold, in any time
zone, and always the same bytes for the same question. `signals.py` joins it with what clients told of people at work
(`POST /activity/`), `working.py` measures time. All of it is pure numpy but `reading.py`, which loads.
"""
