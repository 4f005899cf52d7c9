"""The WSGI application, for gunicorn and its like."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from config.embedded.lease import attach
from config.home import prepare

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if not os.environ.get("DATABASE_URL") and not os.environ.get("PALIMPSEST_DATABASE"):
    attach(prepare())  # started on its own, without manage.py

application = get_wsgi_application()
