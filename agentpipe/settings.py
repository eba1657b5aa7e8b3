"""The one settings file. Machines differ by their environment; `.env.example` lists all of it."""

from pathlib import Path
from typing import Any

import django_stubs_ext

from agentpipe import embedded, env, redis

# Lets classes such as ModelAdmin[Topic] say at run time what they say to mypy.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("AGENTPIPE_DATA_DIR", str(BASE_DIR / "var"))).expanduser().absolute()

# Where it runs

HOST = env.text("AGENTPIPE_HOST", "127.0.0.1")
PORT = env.integer("PORT", 8000, least=1, most=65535)
LOCAL_MODE = env.flag("AGENTPIPE_LOCAL")
SECRET_KEY = env.text("AGENTPIPE_SECRET_KEY") or env.kept_secret(DATA_DIR / "secret_key")
BRIDGE_API_KEY = env.text("AGENTPIPE_BRIDGE_API_KEY")
BRIDGE_API_KEY_FILE = DATA_DIR / "bridge_api_key"
# In local mode a foreign Host is not refused here but by authentication, which answers in JSON.
ALLOWED_HOSTS = (
    ["*"] if LOCAL_MODE else env.hosts("AGENTPIPE_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
)
ALLOWED_ORIGINS = env.origins("ALLOWED_ORIGINS")
BEHIND_TLS = env.flag("AGENTPIPE_TLS")

# What it is made of

DEBUG = False
ROOT_URLCONF = "agentpipe.urls"
ASGI_APPLICATION = "agentpipe.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "agentpipe",
    "agents",
    "conversations",
    "streaming",
    "workflows",
    "procrastinate.contrib.django",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "agentpipe.api.hosts.KnownHost",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # The innermost is a plain function, and so Django calls all of them in one thread. Where each
    # could be awaited, a request would change threads for every one of them.
    "agentpipe.api.throttling.rate_headers",
]
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

# Where things are kept

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        **env.database("DATABASE_URL", fallback=embedded.address(DATA_DIR)),
        "OPTIONS": {
            "pool": {"min_size": 0, "max_size": 20, "timeout": 10},
            "application_name": "agentpipe",
            "connect_timeout": 5,
        },
    }
}
# Without a pool: where a replica is away, that is said at once.
if replica := env.database("DATABASE_REPLICA_URL", fallback={}):
    DATABASES["replica"] = {
        "ENGINE": "django.db.backends.postgresql",
        **replica,
        "OPTIONS": {"application_name": "agentpipe", "connect_timeout": 2},
        "TEST": {"MIRROR": "default"},
    }
REDIS_URL = env.redis("REDIS_URL")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": redis.hosts(REDIS_URL), "prefix": "agentpipe"},
    }
    if REDIS_URL
    else {"BACKEND": "streaming.layer.WithinProcess"}
}
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Served from where they lie: there is no build and nothing to collect.
STORAGES = {"staticfiles": {"BACKEND": "agentpipe.static.Versioned"}}

# Who may call

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["agentpipe.api.logins.Counted"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"
CSRF_FAILURE_VIEW = "agentpipe.api.errors.csrf_failure"
CSRF_TRUSTED_ORIGINS = ALLOWED_ORIGINS
CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = ("accept", "authorization", "content-type", "idempotency-key", "last-event-id")
CORS_EXPOSE_HEADERS = (
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
)
SESSION_ENGINE = "agentpipe.sessions"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
X_FRAME_OPTIONS = "DENY"
# Pages load what this server serves, and nothing inline. Swagger UI draws with data: images.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "base-uri": ["'none'"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "img-src": ["'self'", "data:"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
    }
}
LOGIN_RATE = env.rate("AGENTPIPE_RATE_LOGIN", "20/60")
RATES = {
    "ingest": env.rate("AGENTPIPE_RATE_INGEST", "100/60"),
    "bridge": env.rate("AGENTPIPE_RATE_BRIDGE", "6000/60"),
    "upload": env.rate("AGENTPIPE_RATE_UPLOAD", "10/60"),
    "streams": env.rate("AGENTPIPE_RATE_STREAMS", "600/60"),
    "messages": env.rate("AGENTPIPE_RATE_MESSAGES", "60/60"),
    "events": env.rate("AGENTPIPE_RATE_EVENTS", "6000/60"),
}

# Who answers

ANTHROPIC_API_KEY = env.text("ANTHROPIC_API_KEY")
ANTHROPIC_BASE_URL = env.url("ANTHROPIC_BASE_URL")
OPENAI_API_KEY = env.text("OPENAI_API_KEY")
OPENAI_BASE_URL = env.url("OPENAI_BASE_URL")
ANTHROPIC_MODEL = env.text("AGENTPIPE_ANTHROPIC_MODEL", "claude-sonnet-5")
OPENAI_MODEL = env.text("AGENTPIPE_OPENAI_MODEL", "gpt-5")
LOOKING = ("search_record", "read_conversation", "count_record")
TOOLS = (*LOOKING, "write_file", "read_file", "list_files", "task")
MODEL = {
    "backend": "agents.backends.models.Model",
    "prompt": (
        "You stand beside a record of the conversations that a team's AI agents have had. Plan"
        " before you begin where a task has several steps, look things up in the record instead"
        " of guessing, and say which conversations an answer comes from."
    ),
    "tools": TOOLS,
}
GUIDE = {"backend": "agents.backends.guide.Guide", "tools": LOOKING}
CLAUDE = {**MODEL, "model": f"anthropic:{ANTHROPIC_MODEL}"}
GPT = {**MODEL, "model": f"openai:{OPENAI_MODEL}"}
# Writes sections of websites. Without a model's key, from what the brief says.
WRITES_WITH = {
    "backend": "agents.backends.writer.asking.AskingWriter",
    "prompt": (
        "You write websites: plain, concrete and short, in the tone that the brief asks for. Claim"
        " nothing that the brief does not say, and never use placeholder text."
    ),
}
WRITER: dict[str, Any] = (
    {**WRITES_WITH, "model": CLAUDE["model"]}
    if ANTHROPIC_API_KEY
    else {**WRITES_WITH, "model": GPT["model"]}
    if OPENAI_API_KEY
    else {"backend": "agents.backends.writer.Writer"}
)
# Is asked for a score of what was written; without a model there is none.
JUDGE = {
    "backend": "agents.backends.models.Model",
    "prompt": (
        "You judge the texts of websites against their briefs: whether they say what is asked for,"
        " to those for whom it is meant, in the tone that is asked for, and claim nothing that the"
        ' brief does not say. Answer with one JSON object and nothing else: {"value": a whole'
        ' number from 0 (useless) to 100 (could go online as it is), "why": "one sentence that'
        ' names what is best and what is worst"}'
    ),
}
# By the names under which they are asked. Without a model's key, the guide answers.
AGENTS: dict[str, dict[str, Any]] = {
    "default": {
        "name": "Assistant",
        **(CLAUDE if ANTHROPIC_API_KEY else GPT if OPENAI_API_KEY else GUIDE),
    },
    "guide": {"name": "Guide", **GUIDE},
    "claude": {"name": "Claude", **CLAUDE},
    "gpt": {"name": "GPT", **GPT},
    "writer": {"name": "Writer", **WRITER},
    **({"judge": {**WRITER, "name": "Judge", **JUDGE}} if "model" in WRITER else {}),
    "scripted": {
        "name": "Scripted",
        "backend": "agents.backends.scripted.Scripted",
        "tools": TOOLS,
    },
}

# How it talks

APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
KIB = 1024
BODY_LIMIT = 1024 * KIB
BODY_LIMITS = {
    "/api/ingest/batch": 16 * 1024 * KIB,
    "/api/sessions/upload": 64 * 1024 * KIB,
}
IMPORT_LIMIT = env.integer("AGENTPIPE_IMPORT_LIMIT_MIB", 4096, least=1, most=2**20) * 1024 * KIB
# The limits above are kept at the door, before Django reads a body. This one is for the fields of
# forms, which are held in memory; no body that is held in memory may be larger.
DATA_UPLOAD_MAX_MEMORY_SIZE = max(BODY_LIMITS.values()) + 1
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["agentpipe.api.authentication.CallerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["agentpipe.api.authentication.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["agentpipe.api.throttling.RateLimit"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "agentpipe.api.negotiation.AlwaysJSON",
    "DEFAULT_PAGINATION_CLASS": "agentpipe.api.pagination.Pages",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["agentpipe.api.negotiation.StrictJSON"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "agentpipe.api.errors.handle",
    "URL_FORMAT_OVERRIDE": None,
    "COERCE_DECIMAL_TO_STRING": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "AgentPipe",
    "DESCRIPTION": "See what a team's AI agents are doing, live, and keep the record.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    # What comes behind it names the group that a door is shown in.
    "SCHEMA_PATH_PREFIX": r"/api/(projects/\{project\}/)?",
    "ENUM_NAME_OVERRIDES": {
        "ConversationStatus": "conversations.models.Conversation.Status",
        # Of imports, too.
        "RunStatus": "agents.models.AgentRun.Status",
        "WorkflowRunStatus": "workflows.models.WorkflowRun.Status",
    },
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Questions that a low floor puts to a higher one, by dotted path

STREAMING_TOPICS = {
    "project": "conversations.access.project_topic",
    "conversation": "conversations.access.conversation_topic",
    "ingest": "conversations.access.ingest_topic",
    "message": "agents.access.message_topic",
    "run": "agents.access.run_topic",
    "workflow-run": "workflows.access.workflow_run_topic",
}
# What is left of that by which streams are open, asked at every pulse for all of them at once.
STREAMING_LEAVES = "conversations.access.extents_of"
# Whoever comes without a cursor gets these from their beginning, and of others what is new.
STREAMS_TOLD_WHOLE = {"message", "run", "workflow-run"}
# What else goes with a conversation that is deleted: by name, what deletes it and counts it.
CONVERSATION_PARTS = {"runs": "agents.services.delete_runs"}
STREAM_HEARTBEAT_S = 15
STREAM_PULSE_S = 1
PROCRASTINATE_IMPORT_PATHS = ["agents.tasks", "conversations.upload.tasks", "workflows.tasks"]
# What the nodes of workflows can use besides the tools that look into the record: by name, each
# an InTransaction or Outside of workflows.tools.
WORKFLOW_TOOLS: dict[str, str] = {
    "lay_out_website": "workflows.content.website.lay_out",
    "measure_section": "workflows.content.website.measure_section",
    "measure_page": "workflows.content.website.measure_page",
}
# Who else reads what an agent writes, by the word in the metadata of a run that asks for it.
ANSWER_READERS = {"preview": "workflows.content.showing.read_along"}
STREAM_RETENTION_DAYS = env.integer("AGENTPIPE_STREAM_RETENTION_DAYS", 30, least=0, most=36500)

# What it says of itself

TRACES_TO = env.text("OTEL_EXPORTER_OTLP_ENDPOINT")
TRACED_AS = env.text("OTEL_SERVICE_NAME", "agentpipe")
LOG_LEVEL = env.one_of("AGENTPIPE_LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR")
LOG_JSON = env.flag("AGENTPIPE_LOG_JSON")
LOGGING_CONFIG = "agentpipe.logs.configure"
LOGGING = {"level": LOG_LEVEL, "as_json": LOG_JSON}
