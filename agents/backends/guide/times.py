"""Times as people name them: today, yesterday, last week, the past 3 hours, since 2026-11-01."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

# Folded, as search compares words.
TODAY = "(?<![^ ])(?:today|heute|aujourd hui|hoy|oggi|hoje|vandaag)(?![^ ])|今日|今天|오늘"
YESTERDAY = "(?<![^ ])(?:yesterday|gestern|ayer|ieri|ontem|gisteren)(?![^ ])|昨日|昨天|어제"
THIS = "this|diese[nr]?|cette|ce|esta|este|questa|questo|deze"
LAST = "last|previous|letzte[nr]?|vorige[nr]?|vorige|laatste"
UNITS = {
    "hour": "hours?|stunden?|heures?|horas?|ore",
    "day": "days?|tage?n?|jours?|dias?|giorni",
    "week": "weeks?|wochen?|semaines?|semanas?|settimane?",
    "month": "months?|monate?|mois|mes|meses|mesi",
}
LENGTHS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}
UNIT = "|".join(f"(?P<{name}>{words})" for name, words in UNITS.items())
SPACED = r"(?<![^ ]){}(?![^ ])"
DAY = r"(?P<year>\d{4}) (?P<month_of>\d\d) (?P<day_of>\d\d)"

SINCE_DATE = re.compile(rf"(?:(?P<from>since|after|from|seit|ab|depuis|desde) )?{DAY}")
DATES = re.compile(
    r"(?:between|from|von|zwischen|entre|de) (\d{4} \d\d \d\d) \w+ (\d{4} \d\d \d\d)"
)
NAMED_DAY = re.compile(
    rf"(?:(?P<from>since|from|seit|depuis|desde) )?"
    rf"(?:(?P<today>{TODAY})|(?P<yesterday>{YESTERDAY}))"
)
THIS_ONE = re.compile(SPACED.format(rf"(?:{THIS}) (?:{UNIT})"))
PAST_MANY = re.compile(
    SPACED.format(
        rf"(?:the )?(?:last|past|letzte[nr]?|vergangene[nr]?) (?P<many>\d{{1,4}}) (?:{UNIT})"
    )
)
LAST_ONE = re.compile(SPACED.format(rf"(?:the )?(?P<which>past|{LAST}) (?:{UNIT})"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    since: datetime
    until: datetime | None
    label: str


def span_in(words: str, now: datetime) -> tuple[Span | None, str]:
    """The time that folded words name, and the words without it."""
    for pattern, read in (
        (PAST_MANY, _past_many),
        (DATES, _dates),
        (SINCE_DATE, _date),
        (NAMED_DAY, _named_day),
        (THIS_ONE, _this),
        (LAST_ONE, _last),
    ):
        found = pattern.search(words)
        span = read(found, now) if found else None
        if found and span:
            return span, f"{words[: found.start()]} {words[found.end() :]}"
    return None, words


def _past_many(found: re.Match[str], now: datetime) -> Span:
    many, unit = int(found["many"]), _unit(found)
    since = now - many * LENGTHS[unit]
    return Span(since=since, until=None, label=f"in the last {many} {unit}{'s'[: many != 1]}")


def _dates(found: re.Match[str], now: datetime) -> Span | None:
    try:
        first, last = (datetime.strptime(day, "%Y %m %d").date() for day in found.groups())
    except ValueError:
        return None
    span = _of_day(last, f"between {first} and {last}")
    return replace(span, since=_start(first))


def _date(found: re.Match[str], now: datetime) -> Span | None:
    try:
        day = date(int(found["year"]), int(found["month_of"]), int(found["day_of"]))
    except ValueError:
        return None
    if found["from"]:
        return Span(since=_start(day), until=None, label=f"since {day}")
    return _of_day(day, f"on {day}")


def _named_day(found: re.Match[str], now: datetime) -> Span:
    today = now.astimezone(UTC).date()
    day, name = (today, "today") if found["today"] else (today - timedelta(days=1), "yesterday")
    if found["from"]:
        return Span(since=_start(day), until=None, label=f"since {name}")
    return _of_day(day, name)


def _this(found: re.Match[str], now: datetime) -> Span:
    unit = _unit(found)
    return Span(since=_begin(unit, now), until=None, label=f"this {unit}")


def _last(found: re.Match[str], now: datetime) -> Span:
    unit = _unit(found)
    if found["which"] == "past":
        return Span(since=now - LENGTHS[unit], until=None, label=f"in the past {unit}")
    end = _begin(unit, now)
    begin = _begin(unit, end - timedelta(microseconds=1))
    return Span(since=begin, until=end, label=f"last {unit}")


def _begin(unit: str, now: datetime) -> datetime:
    """Of the hour, day, week (on Monday) or month in which a moment is."""
    moment = now.astimezone(UTC)
    if unit == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    day = moment.date()
    if unit == "week":
        day -= timedelta(days=day.weekday())
    return _start(day.replace(day=1) if unit == "month" else day)


def _unit(found: re.Match[str]) -> str:
    return next(unit for unit in UNITS if found[unit])


def _of_day(day: date, label: str) -> Span:
    return Span(since=_start(day), until=_start(day) + timedelta(days=1), label=label)


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
