"""How good a text is, by measures with a name; and by a model where one is named for it."""
