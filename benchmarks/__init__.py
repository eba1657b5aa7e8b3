"""How fast is it, and beside what."""
