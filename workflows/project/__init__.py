"""The page of a project: how far its agents are, what they write, and how good that is."""
