"""The demo: what it loads (datasets), what it does with it over HTTP (job), and how it shows it (progress, summary)."""
