"""The shape of a section, and the event that tells what is new of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from streaming.events import iso

if TYPE_CHECKING:
    from workflows.models import PreviewSection

Json = dict[str, Any]

SECTION_UPDATED = "preview.section.updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionUpdated:
    shape: Json
    occurred_at: datetime = field(default_factory=timezone.now)
    kind: str = field(default=SECTION_UPDATED, init=False)
    subject: str = field(default="", init=False)
    is_final: bool = field(default=False, init=False)

    def payload(self) -> Json:
        return {"section": self.shape}


def section_updated(section: "PreviewSection", updates: Mapping[str, Any]) -> SectionUpdated:
    """`updates` replace what a client holds of the parts that they name."""
    return SectionUpdated(
        shape={
            "sectionId": section.section_id,
            "runId": section.run.wire_id if section.run else None,
            "updates": dict(updates),
            "complete": section.is_complete,
        }
    )


def section_shape(section: "PreviewSection") -> Json:
    """All of it, in the shape in which its changes are told."""
    parts = section.content.get("parts", {})
    return {
        "sectionId": section.section_id,
        "runId": section.run.wire_id if section.run else None,
        "title": str(section.content.get("title") or parts.get("title") or section.section_id),
        "kind": str(section.content.get("kind") or parts.get("kind") or "other"),
        "updates": parts,
        "complete": section.is_complete,
        "updatedAt": iso(section.updated_at),
    }
