"""Events of other frameworks: read, kept, and told like our own."""
