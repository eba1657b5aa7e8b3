"""How briefs are worded: the phrases by which what they say is known."""

# ruff: noqa: RUF001 - apostrophes and quotation marks are meant

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LABELS = {
    "name": r"name|company|brand|product|title|project|business",
    "what": r"what|about|description",
    "offers": r"offers?|services?|features?|products|benefits|topics",
    "audience": r"audience|target(?: group| audience)?|customers?|readers?|users?|for whom",
    "tone": r"tone|voice|style|mood|tone of voice",
    "goal": r"cta|call to action|goal|aim|action",
    "place": r"place|location|where|city",
    "keywords": r"key ?words?|terms",
}
LABELLED = {
    field: re.compile(rf"^(?:{names})\s*[:=]\s*(.+)$", re.IGNORECASE)
    for field, names in LABELS.items()
}
TONES = {
    "formal": "formal professional serious trustworthy expert precise corporate elegant",
    "warm": "warm friendly welcoming personal cosy cozy homely kind caring local",
    "lively": "playful bold lively fun energetic young cheeky fresh vibrant loud",
    "calm": "calm quiet plain minimal sober gentle relaxed simple clear",
}
MONTHS = _words(
    """
    January February March April May June July August September October November December
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday
    """
)
DOING = _words(
    """
    sells offers provides repairs bakes makes builds delivers teaches helps designs writes
    plans brews rents runs prints ships serves tests grows cooks trains cleans fixes
    restores
    """
)
VERBS = frozenset(verb.removesuffix("s") for verb in DOING)
NAMED = r"(?:[A-Z0-9][\w’'&.\-]*|&)(?:\s+(?:[A-Z0-9][\w’'&\-]*|&|of|and(?=\s+[A-Z])))*"
CALLED = re.compile(rf"\b(?:called|named)\s+[\"“]?({NAMED})")
QUOTED = re.compile(r"[\"“]([^\"”\n]{2,40})[\"”]")
# “Tower Bakery is …”, “Tower Bakery, a …”
SUBJECT = re.compile(
    rf"^({NAMED})(?=(?:,\s+(?:an?|the)|\s+(?:is|are|was|lets|gives|brings|turns|connects|{'|'.join(DOING)}))\b)"
)
OF_SITE = re.compile(
    rf"\b(?:web ?site|page|site|text|copy)\s+(?:for|about|of)\s+(?:the\s+)?({NAMED})"
)
NO_NAMES = _words(
    """
    we our i it the this a an for with in on at open since write create make build please
    website landing they you your he she there from every all today need want new
    """
)
SITE = r"(?:web ?site|landing page|home ?page|web page|page|site)"
IS = re.compile(r"(?:\bis|\bare|’s|,)\s+((?:an?|the)\s+[^.;:!?]+)", re.IGNORECASE)
SITE_FOR = re.compile(rf"\b{SITE}\s+(?:for|about|of)\s+((?:an?|the|our|my)\s+[^.;:!?]+)", re.I)
THAT = re.compile(r",?\s+(?:that|which|who|where|with which)\s+", re.IGNORECASE)
WE_DO = re.compile(
    r"^We\s+(?!want|need|are|were|have|had|would|wish|hope|like|built|made|began|grew|started|\w+ed\b)"
    r"([a-z]+\s[^.;:!?]+)"
)
WANTED = re.compile(
    r"\b(?:want|like|invite|ask|get|expect)s?\s+(?:people|visitors|customers|readers|them|users|"
    r"everyone|guests|clients|you|families|[a-z]+s)\s+to\s+([^.;!?]+)"
    r"|\b(?:visitors|people|customers|readers|users|guests|clients)\s+(?:should|can|shall)"
    r"\s+([^.;!?]+)",
    re.IGNORECASE,
)
BIDDING = re.compile(
    r"^((?:call|book|order|visit|join|sign up|subscribe|register|donate|try|start|contact|apply|"
    r"reserve|download|buy|get|come|request)\b[^.;!?]*)",
    re.IGNORECASE,
)
FOR_WHOM = re.compile(
    r"^(?:It(?:’|')?s |It is |We are |Made |Built |Meant |Written )?(?:for|aimed at)\s+([^.;!?]+)"
    r"|\b(?:aimed at|made for|meant for|built for|designed for|intended for|helps?)\s+"
    r"([^.,;!?]+?)(?=\s+(?:to|who|that|find|with|by)\b|[.,;!?]|$)",
    re.IGNORECASE,
)
IN_PLACE = re.compile(r"\b(?:in|near|from)\s+((?:[A-Z][\w’\-]+)(?:[ -][A-Z][\w’\-]+)*)")
OFFERING = re.compile(
    r"\b(?:offers?|provides?|sells?|includes?|features?|has|have|serves?|teach(?:es)?|with|"
    r"speciali[sz](?:es|ing) in)\s+"
    r"([^.;:!?]+)",
    re.IGNORECASE,
)
ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+(.+)$")
DIRECTION = re.compile(
    rf"^(?:please\b|(?:write|create|make|build|design|generate|we need|i need|we want|i want)\b"
    rf".*\b{SITE}|(?:a|an|the|our|new)?\s*(?:\w+\s+)?{SITE}\b(?! (?:is|has))|the (?:text|copy) )"
    r"|\bwe want\b|\b(?:should|must)\b",
    re.IGNORECASE,
)
