"""Every setting of the product, read from the environment; `docs/settings.md` explains each.

A fresh clone works with no environment at all (DEBUG on, SQLite, files under `var/`). In production
(`DEBUG=0`) whatever is missing or unsafe stops the start with a sentence that says what to set.
"""

import logging
import re
import secrets
import ssl
import sys
from email.utils import getaddresses
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate

from chatsite.admin_theme import UNFOLD  # noqa: F401  (a setting)

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()


def in_production(name: str, value: Any, local: Any) -> Any:
    """`value` if it was given, `local` on a developer's machine; in production its absence stops the start."""
    if value:
        return value
    if not DEBUG:
        raise ImproperlyConfigured(f"Set {name}: with DEBUG=0 it has no default. See docs/settings.md.")
    return local() if callable(local) else local


def local_secret(name: str) -> str:
    """A random secret kept in `var/`, made on first use, so that a clone runs without configuration."""
    path = VAR_DIR / name
    if not path.exists():
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text().strip()


def running_redis() -> str:
    """The address of the embedded Redis that `make run` has started, or Redis's usual one."""
    path = VAR_DIR / "redis.url"
    return path.read_text().strip() if path.exists() else "redis://127.0.0.1:6379/0"


def at_least(least: float) -> validate.Range:
    return validate.Range(min=least)


def parts_of(url: str) -> SplitResult:
    """The parts of an address; empty ones where a bracket (of a password, too) keeps it from being read."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def has_valid_port(url: SplitResult) -> bool:
    try:
        return url.port is None or url.port > 0
    except ValueError:
        return False


def is_exact_origin(origin: str) -> bool:
    parts = parts_of(origin)
    is_host = "@" not in parts.netloc and re.fullmatch(r"[a-z0-9:][a-z0-9:._-]*", parts.hostname or "") is not None
    is_exact = parts.scheme in ("http", "https") and origin == f"{parts.scheme}://{parts.netloc}"
    return is_exact and is_host and has_valid_port(parts)


def is_guessable(key: str) -> bool:
    """What Django's own check for deployment says of a secret key."""
    return key.startswith("django-insecure-") or len(set(key)) < 5


def is_this_machine(origin: str) -> bool:
    host = parts_of(origin).hostname or ""
    return host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")


DEBUG: bool = env.bool("DEBUG", True)
VAR_DIR = Path(env.str("VAR_DIR", "") or BASE_DIR / "var")
SECRET_KEY: str = in_production("SECRET_KEY", env.str("SECRET_KEY", ""), lambda: local_secret("secret_key"))
if not DEBUG and len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("SECRET_KEY is too short: use at least 50 random characters.")
if not DEBUG and is_guessable(SECRET_KEY):
    raise ImproperlyConfigured("SECRET_KEY can be guessed: set 50 random characters, as openssl rand -base64 48 makes.")
# Provider keys are encrypted with the first key and read with any of them, so that keys can be rotated.
ENCRYPTION_KEYS: list[str] = list(filter(None, map(str.strip, env.list("ENCRYPTION_KEYS", [])))) or [SECRET_KEY]
if not DEBUG and min(map(len, ENCRYPTION_KEYS)) < 32:
    raise ImproperlyConfigured("A key of ENCRYPTION_KEYS is too short: use at least 32 random characters.")

# --- Where the site is ---------------------------------------------------------------------------------
PORT: int = env.int("PORT", 8000, validate=validate.Range(1, 65535))
ALLOWED_ORIGINS: list[str] = in_production(
    "ALLOWED_ORIGINS",
    env.list("ALLOWED_ORIGINS", [], subcast=str.strip),
    [f"http://127.0.0.1:{PORT}", f"http://localhost:{PORT}"],
)
if not all(map(is_exact_origin, ALLOWED_ORIGINS)):
    raise ImproperlyConfigured(
        "ALLOWED_ORIGINS takes exact origins such as https://chat.example.org: no wildcards, nothing after the host, "
        "other letters as browsers send them (xn--…)."
    )
if DEBUG and (foreign := [origin for origin in ALLOWED_ORIGINS if not is_this_machine(origin)]):
    raise ImproperlyConfigured(
        f"DEBUG is on and ALLOWED_ORIGINS names {foreign[0]}: whoever opens it could read code and settings on error "
        "pages. Set DEBUG=0 for a site that others use, or leave ALLOWED_ORIGINS to this machine."
    )
ALLOWED_HOSTS = [urlsplit(origin).hostname or "" for origin in ALLOWED_ORIGINS]
CSRF_TRUSTED_ORIGINS = ALLOWED_ORIGINS
IS_HTTPS = all(origin.startswith("https://") for origin in ALLOWED_ORIGINS)

# --- Django --------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin.apps.SimpleAdminConfig",  # its pages are loaded where its addresses are: `chatsite.urls`
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "chatsite.accounts",
    "chatsite.chat",
    "chatsite.documents",
    "chatsite.operations",
    "chatsite.routing",
    "chatsite.search",
    "chatsite.sharing",
    "chatsite.transfer",
    "chatsite.writing",
    "router",
    "workers",
]
MIDDLEWARE = [
    "chatsite.operations.requests.RequestIdMiddleware",
    "chatsite.compression.PageCompressionMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "chatsite.security.ContentSecurityPolicyMiddleware",
    "chatsite.security.PrivateSessionMiddleware",
    "chatsite.accounts.languages.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "chatsite.outages.OutageMiddleware",
]
ROOT_URLCONF = "chatsite.urls"
ASGI_APPLICATION = "chatsite.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
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
            ]
        },
    }
]
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE: Literal["Lax"] = "Lax"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "chatsite" / "static"]
if not DEBUG:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "chatsite.static_files.HashedStaticFilesStorage"},
    }
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "new-conversation"
LOGOUT_REDIRECT_URL = "/sign-in/?signed-out"  # which also forgets what the browser has kept
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
OPEN_SIGN_UP: bool = env.bool("OPEN_SIGN_UP", False)
DATA_UPLOAD_MAX_MEMORY_SIZE = 16_000_000  # above MESSAGE_MAX_BYTES, so that a long paste gets our own words

# --- Mail: for lost passwords and invitations; without it both take an administrator ----------------------------
_mail_url: str = env.str("EMAIL_URL", "")
HAS_MAIL = bool(_mail_url)
if _mail_url:
    _mail = parts_of(_mail_url)
    if _mail.scheme not in ("smtp", "smtps") or not _mail.hostname or not has_valid_port(_mail):
        raise ImproperlyConfigured(
            "EMAIL_URL takes smtp://user:password@host:587 (TLS begins after the greeting) or "
            "smtps://user:password@host:465 (TLS from the beginning)."
        )
    EMAIL_HOST = _mail.hostname
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
    EMAIL_USE_SSL = _mail.scheme == "smtps"
    EMAIL_PORT = _mail.port or (465 if EMAIL_USE_SSL else 587)
    # Mail in clear goes to a relay on this machine only.
    EMAIL_USE_TLS = not EMAIL_USE_SSL and not is_this_machine(f"smtp://{_mail.hostname}")
    EMAIL_TIMEOUT = 10
    DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", "") or f"Switchyard <switchyard@{ALLOWED_HOSTS[0]}>"
    if ["@" in address for _, address in getaddresses([DEFAULT_FROM_EMAIL])] != [True]:
        raise ImproperlyConfigured(
            "EMAIL_FROM takes one address: switchyard@chat.example.org, or Chat <switchyard@chat.example.org>; a name "
            "with a comma stands in quotes."
        )

# --- Database: SQLite in a file, or PostgreSQL by DATABASE_URL --------------------------------------------
# A server whose machine has gone says nothing any more. TCP would wait a quarter of an hour for what was sent to it,
# and two hours for what it was to send.
POSTGRESQL_GIVES_UP = {
    "connect_timeout": 5,  # seconds
    "tcp_user_timeout": 10_000,  # ms
    "keepalives_idle": 5,  # seconds, as the next
    "keepalives_interval": 5,
}
_database_url: str = env.str("DATABASE_URL", "")
if _database_url:
    _url = parts_of(_database_url)
    is_name = re.fullmatch(r"/[^/@]+", _url.path)  # else a slash in the password is taken for its beginning
    if _url.scheme not in ("postgres", "postgresql") or not has_valid_port(_url) or not is_name:
        raise ImproperlyConfigured(
            "DATABASE_URL takes postgresql://user:password@host:port/name; in the password @ is %40 and / is %2F."
        )
    DATABASES: dict[str, dict[str, Any]] = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(_url.path.lstrip("/")),
            "USER": unquote(_url.username or ""),
            "PASSWORD": unquote(_url.password or ""),
            "HOST": _url.hostname or "",
            "PORT": _url.port or "",
            "CONN_HEALTH_CHECKS": True,
            "CONN_MAX_AGE": 60,
            "DISABLE_SERVER_SIDE_CURSORS": True,  # so that PgBouncer may hand out a connection for each transaction
            "OPTIONS": {**POSTGRESQL_GIVES_UP, **dict(parse_qsl(_url.query))},  # as sslmode=verify-full
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": env.str("SQLITE_PATH", "") or str(VAR_DIR / "switchyard.sqlite3"),
            "CONN_MAX_AGE": 60,  # opening it costs more than most queries
            "TEST": {"NAME": VAR_DIR / "test.sqlite3"},  # a file, so that worker processes see it
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
            },
        }
    }
    VAR_DIR.mkdir(0o700, parents=True, exist_ok=True)  # all that people wrote is in there

# --- Redis and Celery: delivery is described in docs/architecture.md -----------------------------------------
REDIS_URL: str = in_production("REDIS_URL", env.str("REDIS_URL", ""), running_redis)
_redis_url = parts_of(REDIS_URL)
if _redis_url.scheme not in ("redis", "rediss", "unix") or not has_valid_port(_redis_url):
    raise ImproperlyConfigured("REDIS_URL takes redis://:password@host:port/0 (rediss:// for TLS).")
if not DEBUG and _redis_url.scheme != "unix" and not _redis_url.password:
    raise ImproperlyConfigured("REDIS_URL has no password: whoever reaches that Redis could read and write answers.")
LEASE_SECONDS: float = env.float("LEASE_SECONDS", 2.0, validate=at_least(0.5))
STREAM_TTL_SECONDS: int = env.int("STREAM_TTL_SECONDS", 3600, validate=at_least(60))
SHUTDOWN_GRACE_SECONDS: float = env.float("SHUTDOWN_GRACE_SECONDS", 15.0, validate=at_least(0))
MAX_ATTEMPTS: int = env.int("MAX_ATTEMPTS", 3, validate=at_least(1))
MODEL_IDLE_SECONDS: float = env.float("MODEL_IDLE_SECONDS", 1800.0, validate=at_least(1))
POLICY_CHECK_SECONDS: float = env.float("POLICY_CHECK_SECONDS", 0.5, validate=at_least(0))
LOOK_SECONDS: float = env.float("LOOK_SECONDS", 0.25, validate=at_least(0))

# --- The broker: this Redis, another one, or RabbitMQ; workers/broker.py knows them apart --------------------------
BROKER_URL: str = env.str("BROKER_URL", "") or REDIS_URL
_broker_url = parts_of(BROKER_URL)
if _broker_url.scheme not in ("redis", "rediss", "unix", "amqp", "amqps") or not has_valid_port(_broker_url):
    raise ImproperlyConfigured(
        "BROKER_URL takes redis://:password@host:port/0 for Redis or amqp://user:password@host:port/vhost for RabbitMQ "
        "(rediss:// and amqps:// for TLS)."
    )
if not DEBUG and _broker_url.scheme != "unix" and not _broker_url.password:
    raise ImproperlyConfigured("BROKER_URL has no password: whoever reaches that broker could read and add work.")
IS_RABBITMQ = _broker_url.scheme in ("amqp", "amqps")
# By itself, kombu believes whatever certificate a Redis shows, and one of RabbitMQ's for whatever host.
_certificates: dict[str, dict[str, Any]] = {
    "rediss": {"ssl_cert_reqs": ssl.CERT_REQUIRED},
    "amqps": {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": _broker_url.hostname},
}
CELERY_BROKER_USE_SSL = _certificates.get(_broker_url.scheme, {})

CELERY_BROKER_URL = BROKER_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_CONNECTION_TIMEOUT = 5
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "route"
# New attempts go before work that has not been tried yet.
if IS_RABBITMQ:  # higher numbers first
    RETRY_PRIORITY, CELERY_TASK_DEFAULT_PRIORITY = 5, 0
    CELERY_TASK_QUEUE_MAX_PRIORITY = RETRY_PRIORITY
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "confirm_publish": True,
        "read_timeout": 5,  # also how long whoever sends a message waits for a broker that is silent
        "write_timeout": 5,
    }
    CELERY_BROKER_HEARTBEAT = 10
else:  # lower numbers first
    RETRY_PRIORITY, CELERY_TASK_DEFAULT_PRIORITY = 0, 5
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "priority_steps": [RETRY_PRIORITY, CELERY_TASK_DEFAULT_PRIORITY],
        "sep": ":",
        "queue_order_strategy": "priority",
        "ack_emulation": False,  # it would be written down what a worker has taken; giving it back is the reaper's
        "socket_timeout": 5,  # also how long whoever sends a message waits for a broker that is silent
        "socket_connect_timeout": 5,
    }
# A worker holds no more than it runs. Redis gives nothing back; RabbitMQ does at once what a dead worker has not
# acknowledged, and counts that against the slots of one that lives.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = not IS_RABBITMQ
CELERY_TASK_ACKS_LATE = IS_RABBITMQ
CELERY_DB_REUSE_MAX = sys.maxsize  # tasks: instead, a connection lasts as `CONN_MAX_AGE` says (`chatsite.celery`)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker, and keeps the models it has loaded
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TASK_PUBLISH_RETRY = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2}

# --- Chatting -----------------------------------------------------------------------------------------------
MESSAGE_MAX_BYTES: int = env.int("MESSAGE_MAX_BYTES", 2_000_000, validate=validate.Range(1_000, 10_000_000))

# Who can read a conversation whose link they have: anybody, those who are signed in, or nobody.
SHARE_LINKS: str = env.str("SHARE_LINKS", "members", validate=validate.OneOf(["off", "members", "public"]))

# --- Files: they are kept in the database, and read by workers ------------------------------------------------
FILE_MAX_BYTES: int = env.int("FILE_MAX_BYTES", 10_000_000, validate=validate.Range(1_000, 15_000_000))
FILES_PER_MESSAGE: int = env.int("FILES_PER_MESSAGE", 10, validate=validate.Range(1, 50))
FILES_PER_PERSON_BYTES: int = env.int("FILES_PER_PERSON_BYTES", 200_000_000, validate=at_least(1_000))

# How much may be under way at once; admins can give groups other limits.
RUNNING_PER_PERSON: int = env.int("RUNNING_PER_PERSON", 2, validate=at_least(1))
WAITING_PER_PERSON: int = env.int("WAITING_PER_PERSON", 5, validate=at_least(0))
WAITING_IN_ALL: int = env.int("WAITING_IN_ALL", 200, validate=at_least(1))
LONGEST_WAIT_SECONDS: float = env.float("LONGEST_WAIT_SECONDS", 60.0, validate=at_least(1))
LONGEST_WAIT_ANSWERS: float = env.float("LONGEST_WAIT_ANSWERS", 0.75, validate=at_least(0.1))
TABS_PER_PERSON: int = env.int("TABS_PER_PERSON", 5000, validate=at_least(1))

# --- Providers: which private addresses an admin may enter (host:port, exact; * for any port) -------------------
PROVIDER_PRIVATE_HOSTS: list[str] = env.list(
    "PROVIDER_PRIVATE_HOSTS", ["127.0.0.1:*", "localhost:*", "[::1]:*"] if DEBUG else [], subcast=str.strip
)
if not all(re.fullmatch(r"(\[[0-9a-f:.]+\]|[^\s/:@A-Z]+):([0-9]+|\*)", host) for host in PROVIDER_PRIVATE_HOSTS):
    raise ImproperlyConfigured(
        "PROVIDER_PRIVATE_HOSTS takes host:port, or host:* for any port: in small letters, without http:// and path."
    )
FIRST_TOKEN_TIMEOUT_SECONDS: float = env.float("FIRST_TOKEN_TIMEOUT_SECONDS", 60.0, validate=at_least(1))
BETWEEN_TOKENS_TIMEOUT_SECONDS: float = env.float("BETWEEN_TOKENS_TIMEOUT_SECONDS", 20.0, validate=at_least(1))

# --- Security headers ------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE_SSL_REDIRECT = IS_HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 30 * 24 * 3600
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_HTTPS
BEHIND_PROXY: bool = env.bool("BEHIND_PROXY", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
X_FRAME_OPTIONS = "DENY"

# --- Monitoring; logs go to standard error ----------------------------------------------------------------------
LOG_LEVEL: str = env.str("LOG_LEVEL", "INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"]))
LOG_FORMAT: str = env.str("LOG_FORMAT", "line" if DEBUG else "json", validate=validate.OneOf(["json", "line"]))
# The collector that traces are sent to; OpenTelemetry reads its other OTEL_ variables itself.
OTEL_EXPORTER_OTLP_ENDPOINT: str = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "")
_collector = parts_of(OTEL_EXPORTER_OTLP_ENDPOINT)
is_collector = _collector.scheme in ("http", "https") and _collector.hostname and has_valid_port(_collector)
if OTEL_EXPORTER_OTLP_ENDPOINT and not is_collector:
    raise ImproperlyConfigured("OTEL_EXPORTER_OTLP_ENDPOINT takes an address such as http://collector:4318.")
# Whoever has it may read /metrics, which does not exist without one.
METRICS_TOKEN: str = env.str("METRICS_TOKEN", "")
if METRICS_TOKEN and not re.fullmatch(r"[!-~]{16,}", METRICS_TOKEN):
    raise ImproperlyConfigured("METRICS_TOKEN takes at least 16 letters and digits: openssl rand -hex 24 makes one.")
# Masked in every line, whatever they look like.
SECRETS = {
    SECRET_KEY,
    *ENCRYPTION_KEYS,
    METRICS_TOKEN,
    *(str(database.get("PASSWORD", "")) for database in DATABASES.values()),
} | {unquote(urlsplit(url).password or "") for url in (REDIS_URL, CELERY_BROKER_URL, _mail_url)}
logging.captureWarnings(LOG_FORMAT == "json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "workers.logs.LineFormatter"}, "json": {"()": "workers.logs.JsonFormatter"}},
    "filters": {"ids": {"()": "workers.logs.AddIds"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["ids"]}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # These come with handlers of their own, which would write another format.
        "django": {"handlers": [], "propagate": True},
        "uvicorn": {"handlers": [], "propagate": True, "level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "httpcore2": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
