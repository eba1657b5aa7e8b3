"""What changes the record: one function writes events, however many; and keys."""

import secrets
from collections.abc import Sequence

from django.utils import timezone

from conversations.changes import Delivery, Outcome
from conversations.models import ApiKey, Project, Receipt, all_scopes, digest_of
from conversations.recording import KEYS_REMEMBERED, Recording
from streaming.publish import transactional


@transactional
def record(project: Project, deliveries: Sequence[Delivery]) -> list[Outcome]:
    """Write changes in order, all in one transaction, and tell the followers.

    Where another transaction writes the same thing at the same moment, a constraint decides and
    this raises IntegrityError: called again, it finds what the other has written.
    """
    return Recording(project, deliveries).run()


def make_key(
    project: Project,
    name: str,
    *,
    scopes: Sequence[str] | None = None,
    rates: dict[str, str] | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and its secret, which is not to be had again."""
    secret = f"ap_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        project=project,
        name=name,
        digest=digest_of(secret),
        hint=secret[:7],
        scopes=list(scopes) if scopes else all_scopes(),
        rates=rates or {},
    )
    return key, secret


def forget_old_keys() -> int:
    """Drop Idempotency-Keys past their time; says how many."""
    too_old = Receipt.objects.filter(
        fingerprint__isnull=False, created_at__lt=timezone.now() - KEYS_REMEMBERED
    )
    return too_old.delete()[0]
