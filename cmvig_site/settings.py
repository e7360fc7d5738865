"""Settings: one file, everything that differs between places comes from the environment, and the defaults are the safe ones."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("CMVIG_VAR", BASE_DIR / "var"))

DEBUG = os.environ.get("DEBUG") == "1"
# Plain http on loopback, as ./dev run serves: cookies cannot be Secure there. A hospital leaves this unset.
PLAIN_HTTP = os.environ.get("CMVIG_PLAIN_HTTP") == "1"


def _secret_key() -> str:
    if key := os.environ.get("SECRET_KEY"):
        return key
    kept = VAR_DIR / "secret-key"
    if kept.exists():
        return kept.read_text().strip()
    raise ImproperlyConfigured("SECRET_KEY is not set, and var/secret-key does not exist (./dev run makes one)")


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [origin for origin in os.environ.get("CSRF_TRUSTED_ORIGINS", "").split(",") if origin]


def database_from_url(url: str) -> dict:
    """Django's connection settings from postgresql://user:password@host:port/name?host=/socket/dir."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ImproperlyConfigured("DATABASE_URL must begin with postgresql:// (there is no second database engine)")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    host = query.pop("host", "") or unquote(parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or query.pop("port", "") or ""),
        # The pool belongs to the server (wsgi.py asks for it); commands open one connection.
        "OPTIONS": query | ({"pool": {"min_size": 1, "max_size": 10, "timeout": 10}} if os.environ.get("CMVIG_POOL") else {}),
        # A connection that died with the database is replaced before a page gets it.
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }


# The app's role. Only migrate and guard_database use the owner (DATABASE_OWNER_URL): see patients/management.
DATABASE_URL = os.environ.get("DATABASE_URL", "")
DATABASE_OWNER_URL = os.environ.get("DATABASE_OWNER_URL", "")
DATABASES = {"default": database_from_url(DATABASE_URL)} if DATABASE_URL else {}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.forms",
    "django_htmx",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "patients",
    "regimens",
]
AUTH_USER_MODEL = "patients.User"
AUTHENTICATION_BACKENDS = ["patients.backends.MembershipBackend"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MIDDLEWARE = [
    "cmvig_site.middleware.RequestIdMiddleware",
    # Headers stand outside of everything that answers by itself: files, /healthz, a refused method, the way to https.
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "cmvig_site.middleware.PrivatePagesMiddleware",
    "cmvig_site.methods.MethodsMiddleware",
    "cmvig_site.health.HealthMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "cmvig_site.middleware.PersonMiddleware",
    "cmvig_site.middleware.SignedInMiddleware",
    "cmvig_site.reading.ReadingMiddleware",
    "cmvig_site.middleware.RefusalMiddleware",
]
ROOT_URLCONF = "cmvig_site.urls"
WSGI_APPLICATION = "cmvig_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "cmvig_site.context.navigation",
            ],
            "builtins": ["regimens.templatetags.display"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

CSRF_FAILURE_VIEW = "cmvig_site.views.not_from_here"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "worklist"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000  # the reason lists of a monograph draft alone have some 400 boxes
SESSION_COOKIE_AGE = 12 * 60 * 60  # absolute; the idle limit is the middleware's
SESSION_IDLE_SECONDS = 15 * 60
PASSWORD_RESET_TIMEOUT = 24 * 60 * 60  # a link to set a password
# Codes of the second factor: the present half minute and its neighbors, never a drift that grows. How often one may be tried is
# counted in patients/tries.py, for all kinds of secrets alike.
OTP_TOTP_SYNC = False
OTP_TOTP_THROTTLE_FACTOR = OTP_STATIC_THROTTLE_FACTOR = 0
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = "cmvig_site.formats"  # the admin panel writes its dates as every other page does
TIME_ZONE = "UTC"
USE_TZ = True
# Numbers and dates are written by regimens/templatetags/display.py alone, never by the locale (hazards H04, H22).
USE_I18N = False
USE_THOUSAND_SEPARATOR = False

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# Headers, on every response.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
SECURE_HSTS_SECONDS = 0 if PLAIN_HTTP else 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = not PLAIN_HTTP
SECURE_HSTS_PRELOAD = not PLAIN_HTTP
SECURE_SSL_REDIRECT = not PLAIN_HTTP
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # a monitor on the machine asks in plain http
BEHIND_PROXY = os.environ.get("CMVIG_BEHIND_PROXY") == "1"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not PLAIN_HTTP
SESSION_COOKIE_NAME = "cmvig-session" if PLAIN_HTTP else "__Host-cmvig-session"
CSRF_COOKIE_NAME = "cmvig-csrf" if PLAIN_HTTP else "__Host-cmvig-csrf"
KNOWN_BROWSER_COOKIE = "cmvig-browser" if PLAIN_HTTP else "__Host-cmvig-browser"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"

# Where the product is reached, for links in mail and on paper, which no request tells.
SITE_URL = os.environ.get("CMVIG_URL") or (
    f"https://{ALLOWED_HOSTS[0].lstrip('.')}"
    if "ALLOWED_HOSTS" in os.environ
    else f"http://127.0.0.1:{os.environ.get('PORT', 8000)}"
)


def mail_from_url(url: str) -> dict:
    """Django's mail settings from smtp://host:25, smtps://user:password@host:465, or file:///directory. ``?tls=1`` asks smtp://
    for STARTTLS, which a password always gets; ``?from=`` is the sender.
    """
    parts = urlsplit(url or f"file://{quote(str(VAR_DIR / 'mail'))}")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    sender = query.get("from") or f"cmvig@{urlsplit(SITE_URL).hostname}"
    if parts.scheme == "file" and parts.path:
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": unquote(parts.path),
            "DEFAULT_FROM_EMAIL": sender,
        }
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL must be smtp://host, smtps://host or file:///directory")
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp" and (bool(parts.password) or query.get("tls") == "1"),
        "EMAIL_TIMEOUT": 20,
        "DEFAULT_FROM_EMAIL": sender,
    }


# EMAIL_BACKEND, EMAIL_HOST … as Django reads them.
globals().update(mail_from_url(os.environ.get("EMAIL_URL", "")))

# Nothing of a patient reaches a log: PostgreSQL's details and request bodies are cut before they are written.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"scrub": {"()": "cmvig_site.logs.Scrub"}},
    "formatters": {
        "plain": {"()": "cmvig_site.logs.PlainFormatter", "format": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["scrub"], "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "WARNING")},
    "loggers": {"django": {"handlers": [], "propagate": True}},
}
