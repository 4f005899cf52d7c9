"""The reads: functions that return states, rows or documents. Nothing here changes anything."""
