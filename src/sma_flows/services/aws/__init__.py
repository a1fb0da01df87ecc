"""Adapters that talk to AWS. Nothing here is imported unless the environment asks for it."""
