"""What the floor of workflows refuses, and how a node may fail."""

from collections.abc import Sequence

# Where, what and of which sort: as every refusal of a body says it.
Fault = tuple[list[str | int], str, str]


class WorkflowsError(Exception):
    """The request cannot be carried out."""

    def __str__(self) -> str:
        return super().__str__() or (self.__doc__ or "").strip()


class WorkflowNotFound(WorkflowsError):
    """Workflow not found"""


class WorkflowRunNotFound(WorkflowsError):
    """Workflow run not found"""


class NodeNotFound(WorkflowsError):
    """The run has no such node"""


class NameTaken(WorkflowsError):
    """There is a workflow of this name"""


class Shipped(WorkflowsError):
    """This workflow comes with the server: save a changed one under another name"""


class WorkflowRunFinished(WorkflowsError):
    """The run is over and cannot be cancelled"""


class NothingToResume(WorkflowsError):
    """Only a run that failed or was cancelled can be resumed"""


class StillGoingOn(WorkflowsError):
    """The run still goes on: cancel it first"""


class NotOurs(WorkflowsError):
    """This run is carried out elsewhere: here it can only be looked at"""


class NotWaiting(WorkflowsError):
    """The node does not wait for a decision"""


class Invalid(WorkflowsError):
    """Validation failed"""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0][1])
        self.faults = faults


class NodeFailed(WorkflowsError):
    """The node could not do it, and to try again would not help"""
