"""Telling other programs what happens: what a message says, what it is sealed with, and whose turn it is.

What is told follows the log by a cursor of each webhook's own, never a signal; see turns.
"""
