from django.apps import AppConfig
from django.core.checks import register

from agentpipe import checks


class AgentPipeConfig(AppConfig):
    name = "agentpipe"

    def ready(self) -> None:
        register(checks.dotted_paths_resolve)
        register(checks.secret_is_shared_and_long)
