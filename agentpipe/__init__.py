"""The roof: settings, doors and wiring. It decides nothing."""
