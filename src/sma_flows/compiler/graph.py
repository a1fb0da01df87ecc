"""Small graph algorithms, without recursion: a flow may be long and a chain of states longer than Python's stack."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)

__all__ = ["components", "cycle_in", "in_cycles", "reach"]


def reach(starts: Iterable[Node], after: Callable[[Node], Iterable[Node]]) -> dict[Node, Node | None]:
    """Everything that can be reached, each with the node it was first reached from (None for a start)."""
    seen: dict[Node, Node | None] = dict.fromkeys(starts)
    waiting = list(seen)
    for node in waiting:
        for follower in after(node):
            if follower not in seen:
                seen[follower] = node
                waiting.append(follower)
    return seen


def components(edges: Mapping[Node, Iterable[Node]]) -> list[list[Node]]:
    """Strongly connected components (Tarjan), in reverse topological order. Followers that are no keys are ignored."""
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    open_: dict[Node, None] = {}
    found: list[list[Node]] = []
    for root in edges:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        open_[root] = None
        work = [(root, iter(tuple(edges[root])))]
        while work:
            node, followers = work[-1]
            for follower in followers:
                if follower not in edges:
                    continue
                if follower not in index:
                    index[follower] = low[follower] = len(index)
                    open_[follower] = None
                    work.append((follower, iter(tuple(edges[follower]))))
                    break
                if follower in open_:
                    low[node] = min(low[node], index[follower])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    group = []
                    while True:
                        member, _ = open_.popitem()
                        group.append(member)
                        if member == node:
                            break
                    found.append(group[::-1])
    return found


def in_cycles(edges: Mapping[Node, Iterable[Node]]) -> set[Node]:
    """The nodes that can reach themselves."""
    return {
        node for group in components(edges) for node in group if len(group) > 1 or group[0] in tuple(edges[group[0]])
    }


def cycle_in(group: Iterable[Node], edges: Mapping[Node, Iterable[Node]]) -> list[Node]:
    """One shortest cycle through the first node of a strongly connected group, in order of travel."""
    members = dict.fromkeys(group)
    first = next(iter(members))
    before = reach([first], lambda node: (follower for follower in edges[node] if follower in members))
    for node in before:  # breadth first: the first node found with a way back is a nearest one
        if first in tuple(edges[node]):
            path = [node]
            while (previous := before[path[-1]]) is not None:
                path.append(previous)
            return path[::-1]
    return [first]
