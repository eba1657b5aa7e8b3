"""The list of doors."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from agentpipe import health
from agentpipe.api.views import StreamTokensView
from streaming.views import RealtimeStatsView

handler400 = "agentpipe.api.errors.bad_request"
handler403 = "agentpipe.api.errors.forbidden"
handler404 = "agentpipe.api.errors.not_found"
handler500 = "agentpipe.api.errors.failed"

# Open to everyone: what a load balancer asks, how to sign in, and how the API is spoken.
OPEN: dict[str, Any] = {
    "authentication_classes": [],
    "permission_classes": [],
    "throttle_classes": [],
}

admin.site.site_header = admin.site.site_title = "AgentPipe"

urlpatterns = [
    path("", include("agents.urls")),
    path("", include("conversations.urls")),
    path("", include("workflows.urls")),
    path("api/realtime/stats", RealtimeStatsView.as_view()),
    path("api/stream-tokens", StreamTokensView.as_view()),
    path("api/schema", SpectacularAPIView.as_view(**OPEN), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema", **OPEN), name="docs"),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.MetricsView.as_view()),
    path("login", LoginView.as_view(template_name="login.html"), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
