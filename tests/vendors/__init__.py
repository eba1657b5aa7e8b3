"""Fake vendors of models: real HTTP on loopback, as Anthropic and OpenAI document their streams.

In a test:

    with FakeVendors() as vendors:
        vendors.play(
            Answer(pieces=(ToolUse(id="t1", name="search", arguments={"q": "tower"}),)),
            Answer(pieces=(Text(text="Found it.", each=3), Ping()), output_tokens=7),
        )
        ...                                  # ask with vendors.settings
        vendors.requests[0].body             # what came, with headers, question, left_at

`play` answers the next requests in turn, whoever asks. `when("tower", first, second)` answers by
the question: every run that asks for the tower gets `first`, and `second` once the model has
responded in it, however many runs there are and however often one is taken over. What was put into
`play` goes before. Without a script the answer is "You asked: …".

Scripts are the same for both vendors: `Text`, `Thinking`, `ToolUse`, `Ping`, `Unknown`, `Wait`,
`Failure` (an error in the stream), `Drop`; `Refusal(status=429, headers={"Retry-After": "2"})` is
an answer that never begins. `cut="bytes"` sends byte by byte. A stream without an end is
`Text(text="on ", times=10**9, pace_s=0.02)`; `requests[0].left_at` is when the client left it.

As a process of its own, with scripts from a file or from `POST /scripts`:

    python -m tests.vendors --port 9100 scripts.json
    {"play": [{"status": 529}], "when": {"tower": [{"pieces": [{"type": "text", "text": "Hm."}]}]}}

`vendors.settings` is what to give a server of ours as its environment.
"""

from tests.vendors.script import (
    Answer,
    Drop,
    Failure,
    Ping,
    Refusal,
    Script,
    Text,
    Thinking,
    ToolUse,
    Unknown,
    Wait,
)
from tests.vendors.server import Asked, FakeVendors

__all__ = [
    "Answer",
    "Asked",
    "Drop",
    "Failure",
    "FakeVendors",
    "Ping",
    "Refusal",
    "Script",
    "Text",
    "Thinking",
    "ToolUse",
    "Unknown",
    "Wait",
]
