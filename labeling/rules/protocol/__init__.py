"""What the protocol's documents may hold, checked so that the unmodified SDK can read again whatever we take.

One file a noun. A check looks at the fields that the SDK's models look at, with their types, and passes over all other
keys, because documents are kept verbatim. It is stricter than the models only where they convert (the text "5" is no
number here) and where a value has no meaning (a colour of 300). `forms` is what the checks are made of.
"""
