"""The activity: runs, their progress, and the backends that talk to a model."""
