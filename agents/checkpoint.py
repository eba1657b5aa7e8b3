"""Where a run stands: written down while it goes on, and believed only where it is unhurt."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.db import connection
from django.utils import timezone

from agents import stats
from agents.backends.base import Json, Usage
from agents.models import AgentRun, Checkpoint

KEPT_AFTER_THE_END = timedelta(hours=1)

_COUNTED = [each.name for each in fields(Usage)]
_COLUMNS = ("position", "content", "kept", "state", "usage", "digest")
_SAVE = f"""
    INSERT INTO agents_checkpoint (run_id, {", ".join(_COLUMNS)}, saved_at)
    SELECT run_id, {", ".join(_COLUMNS)}, %s
    FROM json_to_recordset(%s) AS new (
        run_id bigint, position bigint, content text, kept bigint, state jsonb, usage jsonb,
        digest text
    )
    ON CONFLICT (run_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in (*_COLUMNS, "saved_at"))}
"""  # noqa: S608 - the names are ours

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a run has come."""

    # How many events it has told, and what of the answer they told.
    position: int = 0
    content: str = ""
    # How much of that belongs to finished steps, and what the backend needs to go on behind them.
    kept: int = 0
    state: Json | None = None
    usage: Usage = field(default_factory=Usage)

    def digest(self) -> str:
        written = json.dumps(
            [self.position, self.content, self.kept, self.state, _written(self.usage)],
            sort_keys=True,
            separators=(",", ":"),
        )
        return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()


@stats.SAVING.time()
def save(standings: Sequence[tuple[int, Standing]]) -> None:
    """Of several runs, by their keys."""
    rows = [
        {
            "run_id": run_id,
            "position": standing.position,
            "content": standing.content,
            "kept": standing.kept,
            "state": standing.state,
            "usage": _written(standing.usage),
            "digest": standing.digest(),
        }
        for run_id, standing in standings
    ]
    with connection.cursor() as cursor:
        # Two hundred a second: Django's own way takes ten times as long.
        cursor.execute(_SAVE, [timezone.now(), json.dumps(rows)])


def load(run: AgentRun) -> Standing:
    """The beginning, where nothing was saved or what was saved has come to harm."""
    saved = Checkpoint.objects.filter(run=run).first()
    if saved is None:
        return Standing()
    standing = Standing(
        position=saved.position,
        content=saved.content,
        kept=saved.kept,
        state=saved.state,
        usage=_read(saved.usage),
    )
    if standing.digest() != saved.digest:
        logger.warning("run.checkpoint_damaged", run=run.public_id)
        return Standing()
    return standing


def forget_old() -> int:
    """Drop those of runs that ended long enough ago; says how many."""
    before = timezone.now() - KEPT_AFTER_THE_END
    return Checkpoint.objects.filter(run__finished_at__lt=before).delete()[0]


def _written(usage: Usage) -> Json:
    # By hand: `asdict` takes longer than all the rest of a checkpoint.
    return {**{name: getattr(usage, name) for name in _COUNTED}, "cost": str(usage.cost)}


def _read(written: Any) -> Usage:
    return Usage(**{**written, "cost": Decimal(written["cost"])}) if written else Usage()
