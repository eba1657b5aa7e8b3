"""Full text: find what was said, in any script, by words, phrases and beginnings of words."""

from conversations.search.finding import FoundConversations as FoundConversations
from conversations.search.finding import find as find
from conversations.search.index import forget as forget
from conversations.search.index import index_all as index_all
from conversations.search.index import queue as queue
from conversations.search.index import queueing as queueing
