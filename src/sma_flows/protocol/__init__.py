"""What the service says and accepts: events, actions, limits, schemas. Standard library only."""
