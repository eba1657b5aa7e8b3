"""The record: projects, people, conversations, and how they get in and are read."""
