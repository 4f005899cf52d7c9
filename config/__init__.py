"""How Palimpsest is run: settings, its Python environment, the embedded database, commands, demo and benches."""
