"""The workflow that writes a website: its sections, how they are shown, and how good they are."""
