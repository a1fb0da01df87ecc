"""What the name of a queue says: whether it is a bus, and whether it knows our effect tokens."""

from __future__ import annotations


def is_bus(queue: str) -> bool:
    """Whether *queue* is the ARN of an event bus."""
    return queue.startswith("arn:") and ":event-bus/" in queue


def knows_tokens(queue: str) -> bool:
    """Whether a message that is put twice with one token arrives once: FIFO queues do that, for five minutes."""
    return queue.endswith(".fifo") and not is_bus(queue)
