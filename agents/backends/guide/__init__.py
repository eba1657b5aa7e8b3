"""Answers questions about the record with no model at all: it searches, reads, and cites."""

from agents.backends.guide.answering import Guide as Guide
