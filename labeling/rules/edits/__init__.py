"""The edits endpoint's rule: a list of edits and a state in, the facts of one atomic command out.

`editor` applies a list of them, `operations` lists what there is; the others hold the edits, a file a noun.
"""
