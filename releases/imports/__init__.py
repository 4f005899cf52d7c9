"""Imports: files of others into a dataset, as background jobs that can be stopped, gone on with, and taken back.

A file is read from its start into records (`releases.formats`); `cutting` makes pieces of them, by the file alone, and
chunks of these, as large as the log can take in without others waiting (`pace`). Each chunk is one append: the samples
that it makes and the labels that it changes, of one command whose id follows from the import and the chunk's first
piece. Whoever is killed and begins again finds by these ids what is done, and where the next chunk begins. All events
of an import have its id as their correlation, so it is taken back like any other gesture.

A new label comes with one append, so that nobody reads half of it, unless its objects are more than one event may hold
(a megabyte, 2,500 boxes): then it grows before its readers' eyes, because all of them at once would keep everybody from
the log. What is compared with a label that is there is one append however much it is.

One thread reads and decides; two others, by turns, copy a chunk to the server and have the one before that stored.

The facts ImportStarted and ImportFinished (stream `import/…`) say that there was one, of which file, and how it ended.
The row of its job (`ImportJob`) says how far it is and what was found, and is no projection.
"""
