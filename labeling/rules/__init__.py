"""States, how events change them, and the rules that turn a wish into events. Pure: no Django, no database."""
