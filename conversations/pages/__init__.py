"""Pages of the record."""

from conversations.pages.listing import ConversationsPage as ConversationsPage
from conversations.pages.reading import ConversationPage as ConversationPage
