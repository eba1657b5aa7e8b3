"""The doors of the record."""

from django.urls import path

from conversations.api import views
from conversations.api.keys import KeysView, KeyView
from conversations.api.members import MembersView, MemberView
from conversations.api.metrics import MetricsSummaryView
from conversations.api.projects import ProjectsView, ProjectView
from conversations.export.views import ConversationExportView, ProjectExportView
from conversations.ingest.trial_views import TrialView
from conversations.ingest.views import IngestBatchView, IngestView
from conversations.pages import ConversationPage, ConversationsPage
from conversations.pages.imports import ImportCancel, ImportPage, ImportsPage
from conversations.pages.settings import (
    KeyRevocation,
    KeySettings,
    MemberRemoval,
    MemberSettings,
    NewProjectPage,
    RetentionSettings,
    SettingsPage,
)
from conversations.upload.job_views import JobCancelView, JobsView, JobView
from conversations.upload.views import SessionUploadView

urlpatterns = [
    path("conversations", ConversationsPage.as_view(), name="conversations"),
    path("conversations/<path:conversation>", ConversationPage.as_view(), name="conversation"),
    path("import", ImportsPage.as_view(), name="import"),
    path("import/<str:job>", ImportPage.as_view(), name="import-job"),
    path("import/<str:job>/cancel", ImportCancel.as_view(), name="import-cancel"),
    path("settings", SettingsPage.as_view(), name="settings"),
    path("settings/retention", RetentionSettings.as_view(), name="retention-settings"),
    path("settings/keys", KeySettings.as_view(), name="key-settings"),
    path("settings/keys/<int:key>/revoke", KeyRevocation.as_view(), name="key-revocation"),
    path("settings/members", MemberSettings.as_view(), name="member-settings"),
    path("settings/members/remove", MemberRemoval.as_view(), name="member-removal"),
    path("settings/projects", NewProjectPage.as_view(), name="new-project"),
    path("api/ingest", IngestView.as_view()),
    path("api/ingest/batch", IngestBatchView.as_view()),
    path("api/sessions/upload", SessionUploadView.as_view()),
    path("api/conversations", views.ConversationsView.as_view()),
    path("api/conversations/<path:conversation>/messages", views.MessagesView.as_view()),
    path("api/conversations/<path:conversation>/participants", views.ParticipantsView.as_view()),
    path("api/conversations/<path:conversation>/events", views.EventsView.as_view()),
    path("api/conversations/<path:conversation>/export", ConversationExportView.as_view()),
    # An id is whatever the client made it, and may hold a slash: so this one comes last.
    path("api/conversations/<path:conversation>", views.ConversationView.as_view()),
    path("api/projects", ProjectsView.as_view()),
    path("api/projects/<str:project>", ProjectView.as_view()),
    path("api/projects/<str:project>/export", ProjectExportView.as_view()),
    path("api/projects/<str:project>/keys", KeysView.as_view()),
    path("api/projects/<str:project>/keys/<int:key>", KeyView.as_view()),
    path("api/projects/<str:project>/members", MembersView.as_view()),
    path("api/projects/<str:project>/members/<str:username>", MemberView.as_view()),
    path("api/projects/<str:project>/test-event", TrialView.as_view()),
    path("api/projects/<str:project>/ingest/jobs", JobsView.as_view()),
    path("api/projects/<str:project>/ingest/jobs/<str:job>", JobView.as_view()),
    path("api/projects/<str:project>/ingest/jobs/<str:job>/cancel", JobCancelView.as_view()),
    path("api/realtime/stream", views.RealtimeStreamView.as_view()),
    path("api/metrics/summary", MetricsSummaryView.as_view()),
]
