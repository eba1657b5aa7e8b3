"""The choreography: a graph of steps, each of which may ask an agent."""
