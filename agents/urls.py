"""The doors of agents: chats, runs, and the command center."""

from django.urls import path

from agents import dashboard, pages, progress_views, run_pages, run_views, views

MESSAGE = "api/chats/<str:chat_id>/messages/<str:message_id>"
RUN = "api/projects/<str:project>/runs/<str:run>"

urlpatterns = [
    path("", dashboard.DashboardPage.as_view(), name="dashboard"),
    path("chats", pages.ChatsPage.as_view(), name="chat"),
    path("chats/<str:chat_id>", pages.ChatPage.as_view(), name="chat-page"),
    path("chats/<str:chat_id>/edit", pages.ChatEditPage.as_view(), name="chat-edit"),
    path("runs", run_pages.RunsPage.as_view(), name="runs"),
    path("runs/<path:run>", run_pages.RunPage.as_view(), name="run"),
    path("api/agents", views.AgentsView.as_view()),
    path("api/users/<str:user_id>", views.UserView.as_view()),
    path("api/users/<str:user_id>/chats", views.UserChatsView.as_view()),
    path("api/chats/<str:chat_id>", views.ChatView.as_view()),
    path("api/chats/<str:chat_id>/messages", views.ChatMessagesView.as_view()),
    path(f"{MESSAGE}/stream", views.MessageStreamView.as_view()),
    path(f"{MESSAGE}/cancel", views.MessageCancelView.as_view()),
    path(f"{MESSAGE}/retry", views.MessageRetryView.as_view()),
    path("api/messages/<str:message_id>/events", views.MessageEventsView.as_view()),
    path("api/projects/<str:project>/runs", run_views.RunsView.as_view()),
    path(RUN, run_views.RunView.as_view()),
    path(f"{RUN}/cancel", run_views.RunCancelView.as_view()),
    path(f"{RUN}/resume", run_views.RunResumeView.as_view()),
    path(f"{RUN}/events", run_views.RunEventsView.as_view()),
    path("api/projects/<str:project>/progress", progress_views.ProjectProgressView.as_view()),
    path(
        "api/projects/<str:project>/progress/history",
        progress_views.ProgressHistoryView.as_view(),
    ),
    path(
        "api/projects/<str:project>/agents/<str:agent>/progress",
        progress_views.AgentProgressView.as_view(),
    ),
    path("api/projects/<str:project>/agents/stream", progress_views.AgentsStreamView.as_view()),
    path("api/sse/agent-stream", progress_views.AgentStreamView.as_view()),
    path("api/command-center/message", run_views.CommandCenterView.as_view()),
]
