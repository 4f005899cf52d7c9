"""Django's settings: what differs between installations comes from the environment, and no secret stands here.

PALIMPSEST_HOME, DATABASE_URL, COMMIT_BARRIER, BROKER_URL, STORAGE_URL, EMAIL_URL, PUBLIC_URL, SECRET_KEY, SIGNING_KEY,
SIGN_RELEASES, ALLOWED_HOSTS, FETCH_HOSTS, WEBHOOK_HOSTS, ACTIVITY_KEPT_DAYS, ACTIVITY_SIGNALS_A_DAY,
REASONS_REQUIRED, LOG_FORMAT, LOG_LEVEL, METRICS_TOKEN, PALIMPSEST_DEBUG.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.database import BadDatabaseURL, database
from config.home import CHECKOUT, HomeError, prepare, secret_key
from config.mail import BadEmailURL, mail
from config.operations.logs import logging_settings
from config.storage import BadStorageURL, storage
from labeling.rules.reasons import OF_INSTALLATION, UNLESS_INSTALLATION_SAYS

try:
    HOME = prepare()
    SECRET_KEY = os.environ.get("SECRET_KEY") or secret_key(HOME)
    DATABASES = {"default": database(os.environ, HOME)}
    STORED = storage(os.environ, HOME)
except (HomeError, BadDatabaseURL, BadStorageURL) as error:
    raise ImproperlyConfigured(str(error)) from None

# Appends commit ahead of the disk, and wait for it together before they answer (labeling/log/store/appending.py).
if os.environ.get("COMMIT_BARRIER", "").strip().lower() not in ("", "off", "on"):
    raise ImproperlyConfigured("COMMIT_BARRIER must be on or off.")
COMMIT_BARRIER = os.environ.get("COMMIT_BARRIER", "").strip().lower() == "on"

# The private half of the key that this machine signs with, where it is not in the data directory (labeling/signing.py).
SIGNING_KEY = os.environ.get("SIGNING_KEY", "").strip()
# Manifests of releases are signed wherever there is a signing key, unless this is off.
if os.environ.get("SIGN_RELEASES", "").strip().lower() not in ("", "off", "on"):
    raise ImproperlyConfigured("SIGN_RELEASES must be on or off.")
SIGN_RELEASES = os.environ.get("SIGN_RELEASES", "").strip().lower() != "off"

BASE_DIR = CHECKOUT
DEBUG = os.environ.get("PALIMPSEST_DEBUG", "").lower() in ("1", "true", "yes", "on")

# The address that is put into what is served: links to assets, pages, files.
PUBLIC_URL = os.environ.get("PUBLIC_URL", "").rstrip("/") or "http://127.0.0.1:8000"
try:
    _public = urlsplit(PUBLIC_URL)
    _is_address = _public.scheme in ("http", "https") and _public.hostname and _public.port != 0
except ValueError:
    _is_address = False
if not _is_address:
    raise ImproperlyConfigured("PUBLIC_URL must read http://host:port or https://host.")

try:
    # EMAIL_BACKEND and all that it needs, and SENDS_EMAIL.
    globals().update(mail(os.environ, str(_public.hostname)))
except BadEmailURL as error:
    raise ImproperlyConfigured(str(error)) from None

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", _public.hostname]
#: Hosts that files are fetched from on a client's word (labeling/fetching.py); without any, nothing is fetched.
FETCH_HOSTS = [host.strip() for host in os.environ.get("FETCH_HOSTS", "").split(",") if host.strip()]
#: Hosts inside of our own network that webhooks may be sent to; to hosts of the internet they may in any case.
WEBHOOK_HOSTS = [host.strip() for host in os.environ.get("WEBHOOK_HOSTS", "").split(",") if host.strip()]
#: How often a webhook is tried before it is stopped; see labeling.rules.webhook_messages.waits_s.
WEBHOOK_TRIES = 12
ALLOWED_HOSTS += [host.strip() for host in os.environ.get("ALLOWED_HOSTS", "").split(",") if host.strip()]
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _public.scheme == "https"
SESSION_COOKIE_NAME = "palimpsest_session"  # browsers keep cookies by host, not by port: other local servers share it
CSRF_COOKIE_NAME = "palimpsest_csrf"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "labeling",  # before Django's, two of whose commands it tells the log of
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "config.apps.QueueTables",
    "sequences",
    "releases",
    "config.apps.Admin",  # after our apps, whose templates come before Django's, and whose pages it registers
    "config.apps.ConfigConfig",
]

MIDDLEWARE = [
    "config.operations.requests.observed",
    "labeling.admin.csp.strict_content",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "labeling.admin.denials.tell_denials",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
AUTH_USER_MODEL = "labeling.Person"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTHENTICATION_BACKENDS = ["labeling.admin.logins.GuardedBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "account"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]


def _whole(name: str, default: int, *, least: int) -> int:
    """A whole number of the environment."""
    text = os.environ.get(name, "").strip() or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number from {least}.")
    return int(text)


#: How many days the signals of people at work are kept one by one, and how many of one person are taken a day; see
#: labeling.commands.activity. A heartbeat every five seconds, all day long, is 17,280.
ACTIVITY_KEPT_DAYS = _whole("ACTIVITY_KEPT_DAYS", 90, least=1)
ACTIVITY_SIGNALS_A_DAY = _whole("ACTIVITY_SIGNALS_A_DAY", 40_000, least=1)

#: What nobody does to accounts, organisations and keys without a reason (labeling.rules.reasons).
_reasons = os.environ.get("REASONS_REQUIRED", "").strip() or ",".join(UNLESS_INSTALLATION_SAYS)
REASONS_REQUIRED = [] if _reasons == "off" else [word.strip() for word in _reasons.split(",") if word.strip()]
if set(REASONS_REQUIRED) - set(OF_INSTALLATION):
    raise ImproperlyConfigured(f"REASONS_REQUIRED must be off, or name some of {', '.join(OF_INSTALLATION)}.")

MEDIA_ROOT = HOME / "media"
EXPORTS_ROOT = HOME / "exports"
STATIC_URL = "static/"
# Whitenoise serves the packages' static files where they lie, so there is no collectstatic step to forget.
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": STORED,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000  # of a form; the admin's tables of categories and members have several a row
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024 * 1024  # bytes of a body that is not a file; a label of 500 polygons is 0.5 MB

REST_FRAMEWORK = {
    "EXCEPTION_HANDLER": "labeling.api.errors.answer_error",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "labeling.api.authentication.KeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
# The page that shows our OpenAPI document; the document itself is made by labeling.api.document.
SPECTACULAR_SETTINGS = {
    "TITLE": "Palimpsest",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Standard error only: whatever runs the process keeps it.
LOGGING = logging_settings(os.environ)
