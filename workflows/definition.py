"""What a workflow is made of, as people write it down."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

MOST_NODES = 200
MOST_ITEMS = 1000
A_DAY_S = 86_400

Json = dict[str, Any]

Text = Annotated[str, StringConstraints(max_length=100_000)]
Title = Annotated[str, StringConstraints(max_length=200)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")]
NodeId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
Seconds = Annotated[float, Field(gt=0, le=A_DAY_S)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Input(Part):
    """Something that a run is given."""

    type: Literal["string", "number", "integer", "boolean", "list", "object", "any"] = "any"
    title: Title = ""
    description: Text = ""
    is_required: bool = Field(True, alias="required")
    default: Any = None


class Retry(Part):
    """How often a node is tried, and how long it waits: longer after each attempt that failed."""

    attempts: int = Field(1, ge=1, le=20)
    wait_s: float = Field(1, ge=0, le=A_DAY_S)
    factor: float = Field(2, ge=1, le=10)
    longest_s: Seconds = 60

    def wait_after(self, attempt: int) -> float:
        wait_s: float = min(self.longest_s, self.wait_s * self.factor ** (attempt - 1))
        return wait_s


class Work(Part):
    """What may fail, take long, and be tried again."""

    retry: Retry = Retry()
    timeout_s: Seconds | None = None


class AskAgent(Work):
    agent: str
    prompt: Text
    metadata: Json = {}
    # A json answer is read, and one that cannot be read fails the node.
    answer: Literal["text", "json"] = "text"


class UseTool(Work):
    tool: str
    arguments: Json = {}


class Node(Part):
    id: NodeId
    title: Title = ""
    # What must have ended before, besides what is referred to.
    needs: list[NodeId] = []


class AgentNode(Node, AskAgent):
    kind: Literal["agent"]


class ToolNode(Node, UseTool):
    kind: Literal["tool"]


class EachAgent(AskAgent):
    kind: Literal["agent"]


class EachTool(UseTool):
    kind: Literal["tool"]


class MapNode(Node):
    """The same for every item of a list; what comes of it is a list in the same order."""

    kind: Literal["map"]
    over: Any
    # Read by its kind, as nodes are.
    each: EachAgent | EachTool
    at_once: int = Field(5, ge=1, le=100)


class Case(Part):
    """A comparison, and the nodes that are gone to where it holds: exactly one is given."""

    equals: Any = None
    differs: Any = None
    at_least: float | None = None
    at_most: float | None = None
    more_than: float | None = None
    less_than: float | None = None
    contains: Any = None
    one_of: list[Any] | None = None
    is_empty: bool | None = None
    then: list[NodeId] = Field(max_length=MOST_NODES)

    @model_validator(mode="after")
    def _compares_once(self) -> "Case":
        if len(self.model_fields_set - {"then"}) != 1:
            raise PydanticCustomError(
                "custom", "A case has one comparison: {known}", {"known": ", ".join(COMPARISONS)}
            )
        return self

    @property
    def comparison(self) -> tuple[str, Any]:
        (name,) = self.model_fields_set - {"then"}
        return name, getattr(self, name)


COMPARISONS = tuple(name for name in Case.model_fields if name != "then")


class BranchNode(Node):
    """Which of the nodes behind it are gone to; the others are skipped."""

    kind: Literal["branch"]
    on: Any
    cases: list[Case] = Field(min_length=1, max_length=50)
    otherwise: list[NodeId] = []


class ApprovalNode(Node):
    """Waits for a person."""

    kind: Literal["approval"]
    question: Text
    # A rejected run fails; or it goes on, and a branch looks at `output.approved`.
    rejected: Literal["fail", "continue"] = "fail"
    timeout_s: Seconds | None = None


AnyNode = AgentNode | ToolNode | MapNode | BranchNode | ApprovalNode
Each = EachAgent | EachTool

KINDS: dict[str, type[Node]] = {
    "agent": AgentNode,
    "tool": ToolNode,
    "map": MapNode,
    "branch": BranchNode,
    "approval": ApprovalNode,
}
EACH_KINDS: dict[str, type[Part]] = {"agent": EachAgent, "tool": EachTool}


class Outline(Part):
    """A definition but for its nodes, each of which is read by its kind."""

    name: Name
    title: Title = ""
    description: Text = ""
    inputs: dict[NodeId, Input] = {}
    nodes: list[Json] = Field(min_length=1, max_length=MOST_NODES)
    # What the run comes to; else what its last nodes come to.
    output: Any = None


class Definition(Part):
    name: Name
    title: str
    description: str
    inputs: dict[str, Input]
    nodes: tuple[AnyNode, ...]
    output: Any

    def node(self, node_id: str) -> AnyNode:
        return next(node for node in self.nodes if node.id == node_id)
