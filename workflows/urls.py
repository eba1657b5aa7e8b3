"""The doors of workflows and of their runs."""

from django.urls import path

from workflows import pages, views
from workflows.outside.views import EventsView
from workflows.preview import views as preview
from workflows.project.page import ProjectPage

PROJECT = "api/projects/<str:project>"
WORKFLOW = f"{PROJECT}/workflows/<str:workflow>"
RUN = f"{PROJECT}/workflow-runs/<str:workflow_run>"

urlpatterns = [
    path("workflows", pages.WorkflowsPage.as_view(), name="workflows"),
    path("workflows/<str:workflow>", pages.WorkflowPage.as_view(), name="workflow"),
    path("workflow-runs/<str:workflow_run>", pages.WorkflowRunPage.as_view(), name="workflow-run"),
    path("projects", ProjectPage.as_view(), name="project"),
    path("projects/<str:project>", ProjectPage.as_view(), name="project-page"),
    path(f"{PROJECT}/workflows", views.WorkflowsView.as_view()),
    path(WORKFLOW, views.WorkflowView.as_view()),
    path(f"{WORKFLOW}/runs", views.WorkflowRunsView.as_view()),
    path(f"{PROJECT}/workflow-runs", views.AllRunsView.as_view()),
    path(RUN, views.WorkflowRunView.as_view()),
    path(f"{RUN}/cancel", views.CancelView.as_view()),
    path(f"{RUN}/resume", views.ResumeView.as_view()),
    path(f"{RUN}/rerun", views.RerunView.as_view()),
    path(f"{RUN}/nodes/<str:node>/approve", views.ApproveView.as_view()),
    path(f"{RUN}/nodes/<str:node>/reject", views.RejectView.as_view()),
    path(f"{RUN}/events", views.RunEventsView.as_view()),
    path(f"{PROJECT}/events", EventsView.as_view()),
    path(f"{PROJECT}/preview", preview.PreviewView.as_view()),
    path(f"{PROJECT}/preview/stream", preview.PreviewStreamView.as_view()),
    path(f"{PROJECT}/quality", preview.QualityView.as_view()),
]
