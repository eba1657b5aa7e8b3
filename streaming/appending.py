"""The writer of the event log.

A topic's row is locked from `append` to COMMIT. That is what keeps numbers without holes and in
the order of commits: the next transaction on the topic waits, and a rollback gives numbers back.
"""

import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from django.utils import timezone

from streaming import keys, statements
from streaming.copying import MANY, copy
from streaming.events import Event, iso
from streaming.statements import Statement


@dataclass(slots=True, kw_only=True)
class Draft:
    """An event before it has numbers, and the topics that will tell of it.

    The payload is JSON in one line.
    """

    topics: tuple[str, ...]
    kind: str
    payload: str
    subject: str
    occurred_at: datetime
    is_final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafts:
    """What is written together. Each draft has a place here, and each topic those it tells of."""

    drafts: Sequence[Draft]
    tags: Sequence[int]
    recorded_at: datetime
    places: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one topic was told in a transaction, up to its number `last`."""

    topic: str
    last: int
    # Of all its payloads.
    size: int
    together: Drafts

    def events(self) -> list[Event]:
        """Made when somebody asks: of a batch that nobody follows, nobody does."""
        together = self.together
        places = together.places[self.topic]
        return [
            Event(
                topic=self.topic,
                seq=number,
                kind=draft.kind,
                payload=draft.payload,
                subject=draft.subject,
                occurred_at=draft.occurred_at,
                recorded_at=together.recorded_at,
                tag=together.tags[place],
                is_final=draft.is_final,
            )
            for number, place in enumerate(places, self.last - len(places) + 1)
            for draft in (together.drafts[place],)
        ]


def append(drafts: Sequence[Draft], *, behind: Sequence[Statement] = ()) -> list[Told]:
    """Number and write events, as the last act of the transaction that publishes them.

    Topics are locked behind these statements, and on the same way to the database.
    """
    places: dict[str, list[int]] = {}
    for place, draft in enumerate(drafts):
        for topic in draft.topics:
            places.setdefault(topic, []).append(place)
    together = Drafts(
        drafts=drafts,
        tags=struct.unpack(f"{len(drafts)}I", os.urandom(4 * len(drafts))),
        recorded_at=timezone.now(),
        places=places,
    )
    write = _write_many if len(drafts) > MANY else _write_few
    lasts = write(together, behind)
    sizes = [len(draft.payload) for draft in drafts]
    return [
        Told(
            topic=topic,
            last=last,
            size=sum(sizes[place] for place in places[topic]),
            together=together,
        )
        for topic, last in lasts.items()
    ]


def _write_few(together: Drafts, behind: Sequence[Statement]) -> dict[str, int]:
    """In one statement, since each is a way to the database and back."""
    drafts, places = together.drafts, together.places
    values = {
        **_topics(together),
        "first_key": keys.first_key(together.recorded_at),
        "largest_number": keys.LARGEST_NUMBER,
        "kinds": "\n".join(draft.kind for draft in drafts),
        "payloads": "\n".join(draft.payload for draft in drafts),
        "subjects": [draft.subject for draft in drafts],
        "times": ",".join(iso(draft.occurred_at) for draft in drafts),
        "tags": _numbers(together.tags),
        "finals": _booleans(draft.is_final for draft in drafts),
        "entry_names": "\n".join(topic for topic, its in places.items() for _ in its),
        "entry_behind": _numbers(
            chain.from_iterable(range(len(its))[::-1] for its in places.values())
        ),
        "entry_places": _numbers(place + 1 for its in places.values() for place in its),
    }
    *_, numbered = statements.run(*behind, (_APPEND, values))
    return dict(numbered)


def _write_many(together: Drafts, behind: Sequence[Statement]) -> dict[str, int]:
    first_key = keys.first_key(together.recorded_at)
    recorded_at = iso(together.recorded_at)
    [found] = statements.run((_NEXT, [len(together.drafts)]))
    numbers = [first_key | (number & keys.LARGEST_NUMBER) for (number,) in found]
    copy(
        "streaming_eventbody (id, kind, payload, subject, occurred_at, tag, is_final, recorded_at)",
        (
            (
                key,
                draft.kind,
                draft.payload,
                draft.subject,
                # As text: psycopg takes as long for a time as for the rest of the row.
                iso(draft.occurred_at),
                tag,
                draft.is_final,
                recorded_at,
            )
            for key, draft, tag in zip(numbers, together.drafts, together.tags, strict=True)
        ),
    )
    # Not before: until COMMIT nobody else can tell these topics anything.
    told = [str(number) for number in numbers]
    values = {
        **_topics(together),
        "entries": "\n".join(
            ",".join([told[place] for place in its]) for its in together.places.values()
        ),
    }
    *_, numbered = statements.run(*behind, (_ENTER, values))
    return dict(numbered)


def _topics(together: Drafts) -> dict[str, Any]:
    """What becomes of the topics' rows, each with how many more it has, and the last of them."""
    places = together.places
    lasts = [its[-1] for its in places.values()]
    return {
        "names": "\n".join(places),
        "wanted": _numbers(map(len, places.values())),
        "ends": _booleans(together.drafts[place].is_final for place in lasts),
        "last_tags": _numbers(together.tags[place] for place in lasts),
        "volume": keys.volume_of(keys.first_key(together.recorded_at)),
        "recorded_at": together.recorded_at,
    }


def _numbers(values: Iterable[int]) -> str:
    return ",".join(map(str, values))


def _booleans(values: Iterable[bool]) -> str:
    return ",".join("t" if value else "f" for value in values)


_NEXT = "SELECT nextval('streaming_eventbody_id_seq') FROM generate_series(1, %s)"

# Topics are locked in the order of names: transactions that touch the same ones lock them the same
# way. Psycopg takes long to quote an array, so that what has no line break, or no comma, comes as
# one text.
_NUMBER = """
    INSERT INTO streaming_topic AS topic (
        name, first_seq, last_seq, has_ended, volume, volume_seq, last_recorded_at, last_tag
    )
    SELECT name, 1, wanted, ends, %(volume)s, 1, %(recorded_at)s, last_tag FROM unnest(
        string_to_array(%(names)s, chr(10)), string_to_array(%(wanted)s, ',')::bigint[],
        string_to_array(%(ends)s, ',')::bool[], string_to_array(%(last_tags)s, ',')::bigint[]
    ) AS new (name, wanted, ends, last_tag)
    ORDER BY name COLLATE "C"
    ON CONFLICT (name) DO UPDATE
    SET last_seq = topic.last_seq + excluded.last_seq, has_ended = excluded.has_ended,
        volume = excluded.volume, volume_seq = CASE WHEN topic.volume = excluded.volume
            THEN topic.volume_seq ELSE topic.last_seq + 1 END,
        last_recorded_at = excluded.last_recorded_at, last_tag = excluded.last_tag
"""
_ENTER = f"""
    WITH numbered AS ({_NUMBER} RETURNING name, id, last_seq), entries AS (
        INSERT INTO streaming_entry (topic_id, seq, body_id)
        SELECT numbered.id, numbered.last_seq - told.wanted + entry.place, entry.body_id
        FROM unnest(
            string_to_array(%(names)s, chr(10)), string_to_array(%(wanted)s, ',')::bigint[],
            string_to_array(%(entries)s, chr(10))
        ) AS told (name, wanted, bodies)
        JOIN numbered USING (name)
        CROSS JOIN unnest(string_to_array(told.bodies, ',')::bigint[])
            WITH ORDINALITY AS entry (body_id, place)
    )
    SELECT name, last_seq FROM numbered
"""  # noqa: S608
_APPEND = f"""
    WITH numbered AS ({_NUMBER} RETURNING name, id, last_seq), told AS MATERIALIZED (
        SELECT %(first_key)s | (nextval('streaming_eventbody_id_seq') & %(largest_number)s) AS id,
            new.*
        FROM unnest(
            string_to_array(%(kinds)s, chr(10)), string_to_array(%(payloads)s, chr(10)),
            %(subjects)s::text[], string_to_array(%(times)s, ',')::timestamptz[],
            string_to_array(%(tags)s, ',')::bigint[], string_to_array(%(finals)s, ',')::bool[]
        ) WITH ORDINALITY AS new (kind, payload, subject, occurred_at, tag, is_final, place)
    ), bodies AS (
        INSERT INTO streaming_eventbody
            (id, kind, payload, subject, occurred_at, tag, is_final, recorded_at)
        SELECT id, kind, payload, subject, occurred_at, tag, is_final, %(recorded_at)s FROM told
    ), entries AS (
        INSERT INTO streaming_entry (topic_id, seq, body_id)
        SELECT numbered.id, numbered.last_seq - entry.behind, told.id
        FROM unnest(
            string_to_array(%(entry_names)s, chr(10)),
            string_to_array(%(entry_behind)s, ',')::bigint[],
            string_to_array(%(entry_places)s, ',')::bigint[]
        ) AS entry (name, behind, place)
        JOIN numbered USING (name) JOIN told USING (place)
    )
    SELECT name, last_seq FROM numbered
"""  # noqa: S608 - it is all ours
