"""A section made from a brief: what the brief says, in phrases chosen by the brief itself.

The same brief gives the same text; another one gives another choice. Nothing is claimed that the
brief does not say.
"""

# ruff: noqa: RUF001 - apostrophes and quotation marks are meant

import re
from collections.abc import Callable

from agents.backends.writer.brief import read_brief
from agents.backends.writer.form import tidied
from agents.backends.writer.phrasing import (
    Page,
    choice_of,
    cleaned,
    is_short,
    is_told,
    listed,
    paragraph,
    sentence_case,
    unless_said,
)

Parts = dict[str, str]


def compose(section: str, text: str) -> Parts:
    """The parts of a section, from the text of a brief."""
    brief = read_brief(text)
    write = KINDS.get(kind_of(section), _other)
    parts = write(Page(brief, section))
    return {name: tidied(name, cleaned(said)) for name, said in parts.items()}


def kind_of(section: str) -> str:
    """What sort of section a name stands for: `about-us` is an about."""
    words = re.findall(r"[a-z]+", section.casefold())
    return next((ALIASES[word] for word in words if word in ALIASES), "other")


def _hero(page: Page) -> Parts:
    offers = listed([*page.offers[:2]])
    headline = page.pick(
        f"{page.name}: {page.bare_what}" if page.name and page.bare_what else "",
        sentence_case(f"we {page.brief.doing}") if is_short(page.brief.doing) else "",
        sentence_case(f"{offers}{page.for_whom}") if is_short(offers + page.for_whom) else "",
    ) or sentence_case(f"{page.topic}, done with care")
    doing = page.brief.doing
    for_whom = "" if page.whom and page.whom in headline else page.for_whom
    told_of = [
        f"{page.name} is {page.what}{unless_said(for_whom, page.what)}."
        if page.name and page.what
        else "",
        f"Made{for_whom}: {listed(page.offers[:3])}." if for_whom and page.offers else "",
        f"We {doing}{unless_said(for_whom, doing)}." if doing else "",
        sentence_case(f"{page.bare_what}{unless_said(for_whom, page.what)}."),
    ]
    subheadline = (
        page.pick(*(one for one in told_of if len(one) > 1 and not is_told(one, headline)))
        or f"Everything about {page.topic}, in one place."
    )
    said = f"{headline} {subheadline}"
    facts = [one for one in page.facts() if not is_told(one, said)][:2]
    close = page.by_tone(
        (
            f"Have a look around, and find out what {page.us} can do for you.",
            "Take a moment to look around. The rest of this page tells you more.",
        ),
        warm=(
            "We are glad that you are here. Come in and have a look around!",
            "Make yourself at home, and tell us what we can do for you.",
        ),
        lively=("Curious? Good. Read on, it only takes a minute.", "Ready when you are. Let’s go!"),
        formal=(
            "On this page you will find what we do, for whom, and how to reach us.",
            f"Read here what {page.us} can do for you, and how we work.",
        ),
    )
    return {
        "headline": headline,
        "subheadline": subheadline,
        "body": paragraph([*facts, choice_of(page), close]),
        "cta": page.action
        or page.pick(f"See {page.topic}" if is_short(page.topic) else "See more", "Find out more"),
    }


def _features(page: Page) -> Parts:
    offers = page.offers[:5]
    headline = (
        page.pick(
            f"What you get with {page.name}" if page.name else "",
            sentence_case(f"{listed(offers[:2])}, and what comes with it")
            if len(offers) > 1 and is_short(listed(offers[:2]))
            else "",
        )
        or "What we do"
    )
    count = {2: "Two", 3: "Three", 4: "Four", 5: "Five"}.get(len(offers))
    subheadline = (
        page.pick(
            f"{count} good reasons{page.for_whom} to choose {page.us}." if count else "",
            f"{count} things that {page.whom} can count on." if count and page.whom else "",
        )
        or f"What matters most about {page.topic}, at a glance."
    )
    items = [f"- **{sentence_case(offer)}.** {_reason(page, offer)}" for offer in offers]
    close = page.pick(
        f"Not sure what suits you? Ask us. We like to talk about {page.topic}."
        if len(offers) > 1
        else f"Ask us. We like to talk about {page.topic}.",
        f"All of it comes from {page.us}, and you can ask about any of it." if page.name else "",
    )
    return {
        "headline": headline,
        "subheadline": subheadline,
        "body": "\n".join(items) + f"\n\n{close}",
        "cta": page.action or page.pick("Ask us about it", "See how it works"),
    }


def _reason(page: Page, offer: str) -> str:
    facts = [one for one in page.facts(offer) if not is_told(one, offer)]
    if untold := [fact for fact in facts if fact not in page.told]:
        page.told.add(untold[0])
        return untold[0]
    whom = page.whom or "you"
    return page.pick(
        f"Made with {whom} in mind, from start to end.",
        "You tell us what you need. We see to the rest.",
        f"It is one of the reasons to come to {page.us}.",
        "Clear from the start, so that you know what to expect.",
        "Ask about it, and we will show you.",
        f"We take the time that {offer} should have.",
        "Try it once, and see for yourself.",
    )


def _about(page: Page) -> Parts:
    place = page.brief.place
    headline = page.pick(
        f"About {page.name}" if page.name else "About us",
        f"Who is behind {page.name}" if page.name else "Who we are",
        f"At home in {place}" if place else "",
    )
    subheadline = (
        page.pick(
            f"{sentence_case(page.what)}, and glad to be of use." if page.what else "",
            f"What we care about: {listed(page.offers[:3])}." if page.offers else "",
            f"We {page.brief.doing}." if page.brief.doing else "",
        )
        or f"A few words about {page.us}."
    )
    said = f"{headline} {subheadline}"
    facts = [one for one in page.facts() if not is_told(one, subheadline)]
    where = (
        f"You will find us in {place}."
        if place and not any(place in one for one in [*facts, said])
        else ""
    )
    care = page.by_tone(
        (
            f"We think about {page.topic} every day, and we want you to notice it.",
            f"{sentence_case(page.topic)}: that is what we know, and what we like to share.",
        ),
        warm=(
            f"We love {page.topic}, and we think that you can tell.",
            "We like to know the people we work for, and we take time for them.",
        ),
        formal=(
            f"In all questions of {page.topic} we work with care and say what we mean.",
            "We keep our word, and we say clearly what we can do and what we cannot.",
        ),
        lively=(
            f"Ask us about {page.topic}, and we may never stop talking.",
            "We take our work seriously. Ourselves, not so much.",
        ),
    )
    whom = (
        page.pick(
            f"What we do, we do for {page.whom}.",
            f"{sentence_case(page.whom)}: this is for you.",
        )
        if page.whom
        else "If that sounds like what you are looking for, we should talk."
    )
    first = paragraph([*facts, where])
    return {
        "headline": headline,
        "subheadline": subheadline,
        "body": "\n\n".join(filter(None, [first, paragraph([care, whom])])),
        "cta": page.pick("Get to know us", "Say hello", "More about us"),
    }


def _contact(page: Page) -> Parts:
    place = page.brief.place
    headline = page.by_tone(
        ("Get in touch", "Talk to us", f"Visit us in {place}" if place else "Ask us"),
        formal=("How to reach us", "Contact us"),
        lively=("Say hi!", "Let’s talk"),
    )
    subheadline = page.pick(
        f"A question about {page.topic}? We are happy to help.",
        f"Tell us what you need, and {page.us} will take it from there."
        if page.name
        else "Tell us what you need, and we will take it from there.",
    )
    facts = [one for one in page.facts() if REACHED.search(one)]
    goal = f"You can also {page.brief.goal} right away." if page.brief.goal else ""
    ask = page.pick(
        "Write us a line or two about what you have in mind.",
        "One line is enough: say what it is about, and how we can reach you.",
    )
    where = f"Or come by: you will find us in {place}." if place and "Visit" not in headline else ""
    return {
        "headline": headline,
        "subheadline": subheadline,
        "body": paragraph([ask, goal, where, *facts[:2]]),
        "cta": page.pick("Write to us", "Send a message") if not page.action else page.action,
    }


def _faq(page: Page) -> Parts:
    brief = page.brief
    asked: list[tuple[str, str]] = []
    if page.what or brief.doing:
        answer = f"{page.we} {'is' if page.name else 'are'} {page.what}." if page.what else ""
        does = f"We {brief.doing}." if brief.doing else ""
        asked.append((f"What does {page.name or 'your team'} do?", paragraph([answer, does])))
    if page.whom:
        asked.append(
            ("Who is it for?", f"For {page.whom}, and for everyone who feels at home there.")
        )
    if brief.place:
        asked.append(("Where can I find you?", f"We are in {brief.place}."))
    for offer in page.offers[:2]:
        told = " ".join(answer for _, answer in asked)
        facts = [fact for fact in page.facts(offer) if not is_told(fact, told)]
        more = page.pick(
            f"We like to talk about {offer}: just ask.", f"Tell us what you need of {offer}."
        )
        asked.append((f"What about {offer}?", facts[0] if facts else more))
    if brief.goal:
        asked.append((f"How do I {brief.goal}?", "Use the button below."))
    asked.append(("What if I have another question?", "Ask it. We are glad to answer."))
    return {
        "headline": page.pick("Questions, answered", "What people ask", "Good to know"),
        "subheadline": f"Short answers about {page.topic}.",
        "body": "\n\n".join(f"**{question}** {answer}" for question, answer in asked),
        "cta": page.action or "Ask us something else",
    }


def _other(page: Page) -> Parts:
    """Where only the name is known: what the brief says of it, and what it is about."""
    facts = page.facts(page.section) or page.facts()
    offers = listed(page.offers[:3])
    return {
        "headline": page.pick(
            f"{page.title} at {page.name}" if page.name else page.title, f"{page.title}, in short"
        ),
        "subheadline": page.pick(
            f"{page.title}{page.for_whom}, by {page.us}." if page.name else "",
            f"What there is to say about {page.title.lower()} and {page.topic}.",
        ),
        "body": paragraph(
            [
                *facts,
                f"Here it is all about {offers}." if offers else "",
                page.pick(
                    f"If you want to know more about {page.title.lower()}, just ask.",
                    "There is more to tell than fits in here: ask us, and we will tell you.",
                ),
            ]
        ),
        "cta": page.action or page.pick("Ask for details", "Find out more"),
    }


KINDS: dict[str, Callable[[Page], Parts]] = {
    "hero": _hero,
    "features": _features,
    "about": _about,
    "contact": _contact,
    "faq": _faq,
}
ALIASES = {
    "hero": "hero", "home": "hero", "start": "hero", "intro": "hero", "welcome": "hero",
    "features": "features", "services": "features", "benefits": "features", "offer": "features",
    "offers": "features", "products": "features", "service": "features", "menu": "features",
    "about": "about", "team": "about", "story": "about", "mission": "about", "us": "about",
    "contact": "contact", "visit": "contact", "location": "contact", "booking": "contact",
    "faq": "faq", "questions": "faq", "help": "faq",
}  # fmt: skip
REACHED = re.compile(
    r"\b(?:open|call|phone|mail|write|visit|street|road|square|hours|daily|every|from \d|\+?\d{5,})"
    r"|@",
    re.IGNORECASE,
)
