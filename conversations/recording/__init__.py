"""How changes get into the record: what is known is looked up, each is decided, rows are written.

Conversations are locked first and in order of their ids, so their totals can be counted here;
receipts and messages come after, the topics of the log last. Every transaction goes that way.
"""

from conversations.recording.batch import Recording as Recording
from conversations.recording.known import KEYS_REMEMBERED as KEYS_REMEMBERED
