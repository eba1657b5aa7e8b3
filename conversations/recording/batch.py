"""A batch of deliveries: each is taken once, however often it is delivered."""

from collections.abc import Sequence

from django.utils import timezone

from conversations.changes import Delivery, KeyReused, Outcome, Recorded
from conversations.models import Project, Receipt
from conversations.recording.decisions import Decisions
from conversations.recording.known import Known
from conversations.recording.rows import Rows


class Recording:
    """One call of `record`."""

    def __init__(self, project: Project, deliveries: Sequence[Delivery]) -> None:
        now = timezone.now()
        self.project = project
        self.deliveries = deliveries
        self.known = Known(project, deliveries, now=now)
        self.rows = Rows(project, now=now)
        self.decisions = Decisions(self.known, self.rows, now=now)

    def run(self) -> list[Outcome]:
        outcomes = [self._take(delivery) for delivery in self.deliveries]
        self.rows.write()
        return outcomes

    def _take(self, delivery: Delivery) -> Outcome:
        key, identity = delivery.key, delivery.identity
        first = self.known.receipts.get(key) if key else None
        if first and bytes(first.fingerprint or b"") != delivery.fingerprint:
            if delivery.refuses_reused_key:
                return KeyReused()
            # The key goes on standing for what it stood for first.
            key = first = None
        known = first or (self.known.receipts.get(identity) if identity else None)
        outcome = Recorded(id=known.made_id) if known else self.decisions.take(delivery.change)
        if isinstance(outcome, Recorded):
            if identity and not known:
                self._keep_receipt(identity, None, outcome.id)
            if key and not first:
                self._keep_receipt(key, delivery.fingerprint, outcome.id)
        return outcome

    def _keep_receipt(self, identity: bytes, fingerprint: bytes | None, made_id: str) -> None:
        receipt = Receipt(
            project=self.project, identity=identity, fingerprint=fingerprint, made_id=made_id
        )
        self.known.receipts[identity] = receipt
        self.rows.receipts.append(receipt)
