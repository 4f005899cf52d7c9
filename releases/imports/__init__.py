"""Imports: files of others into a dataset, as background jobs that can be stopped, gone on with, and taken back.

A file is read from its start into records (`releases.formats`); `cut` parts them into chunks, by the file alone. Each
chunk is one append: the samples that it makes and the labels that it changes, of one command whose id follows from the
import and the chunk's number. Whoever is killed and begins again finds by these ids what is done. All events of an
import have its id as their correlation, so it is taken back like any other gesture.

The facts ImportStarted and ImportFinished (stream `import/…`) say that there was one, of which file, and how it ended.
The row of its job (`ImportJob`) says how far it is and what was found, and is no projection.
"""
