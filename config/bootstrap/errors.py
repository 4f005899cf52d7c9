"""What can go wrong before Django runs."""


class SetUpFailed(Exception):
    """The environment cannot be had; the message is a line or two for the person at the terminal."""
