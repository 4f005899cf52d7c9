"""One archive with everything of an installation, and the way back: `manage.py backup` and `manage.py restore`.

`archive` is the tar file as bytes, `contents` what its two descriptions say, `reading` goes through one and believes
nothing, `tables` and `files` are the two ends of what is carried, `making` and `restoring` put it together.

In the archive stand, in this order: `palimpsest.json` (what this is, and the tables with their columns), the secret
key, the tables in parts of a few megabytes, the stored files, and `manifest.json` with every count and hash, which
comes last so that an archive that was cut off cannot be taken for a whole one.
"""
