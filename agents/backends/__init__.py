"""Who answers: each backend turns a question into steps that it tells a scribe."""
