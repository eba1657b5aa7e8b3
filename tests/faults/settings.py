"""The settings, with tools whose effects can be counted."""

from agentpipe.settings import *  # noqa: F403

WORKFLOW_TOOLS = {"note": "tests.faults.tools.note", "post": "tests.faults.tools.post"}
