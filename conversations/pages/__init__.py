"""Pages of the record."""

from conversations.pages.feed import FeedPage as FeedPage
