"""A page while it is being written: its sections, as far as each is."""
