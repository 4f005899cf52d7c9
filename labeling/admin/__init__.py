"""The admin: Django's own, for people who run an installation. It reads rows and the log, and changes things by
commands only.

`site` is the front, each noun has a file, and `registration` puts them together. Nothing is registered on import,
because Django makes the site while it imports this package.
"""
