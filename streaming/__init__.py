"""The foundation: topics, the event log, and everyone who follows it."""
