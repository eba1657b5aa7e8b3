"""What the agents' floor refuses, and how a run may fail."""


class AgentsError(Exception):
    """The request cannot be carried out."""

    def __str__(self) -> str:
        return super().__str__() or (self.__doc__ or "").strip()


class AgentNotFound(AgentsError):
    """Agent not found"""


class PersonNotFound(AgentsError):
    """User not found"""


class ChatNotFound(AgentsError):
    """Chat not found"""


class MessageNotFound(AgentsError):
    """Message not found"""


class RunNotFound(AgentsError):
    """Run not found"""


class ProgressNotFound(AgentsError):
    """No progress is known of this agent"""


class RunFinished(AgentsError):
    """It has finished and cannot be cancelled"""


class RunOutside(AgentsError):
    """It is carried out by another framework, and can only be stopped or tried again there"""


class RunIsOurs(AgentsError):
    """This is the id of a run of this server, which tells of itself"""


class NothingToRetry(AgentsError):
    """Only an answer that failed or was cancelled can be tried again"""


class RunLost(AgentsError):
    """The run is over, or another worker has it"""


class ToolFailed(AgentsError):
    """The tool could not do it: the agent is told so, and goes on"""


class BackendFailed(AgentsError):
    """The agent failed, and would fail again"""


class BackendUnavailable(AgentsError):
    """The agent failed for now: to try again may help"""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
