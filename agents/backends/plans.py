"""The todo list of a run: the model keeps it with a tool of its own, and people watch it."""

from pydantic_ai.tools import ToolDefinition

from agents.backends.base import Json, Todo

NAME = "update_plan"
DEFINITION = ToolDefinition(
    name=NAME,
    description=(
        "Keep the list of what is to be done, where that takes several steps; people watch it. "
        "Give all items every time. One of them is in progress until all are completed."
    ),
    parameters_json_schema={
        "type": "object",
        "properties": {
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string"},
                        "text": {"type": "string"},
                        "status": {
                            "type": "string",
                            "enum": ["pending", "in_progress", "completed"],
                        },
                    },
                    "required": ["id", "text", "status"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["items"],
        "additionalProperties": False,
    },
    strict=False,
)


def todos(arguments: Json) -> list[Todo]:
    return [Todo(**item) for item in arguments["items"]]
