"""Conversations that took place elsewhere: whole sessions, and files of what was recorded."""
