"""Graph algorithms against definitions, on random graphs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sma_flows.compiler.graph import components, cycle_in, in_cycles, reach

GRAPHS = st.integers(1, 8).flatmap(
    lambda size: st.dictionaries(
        st.integers(0, size - 1), st.lists(st.integers(0, size), max_size=4), min_size=size, max_size=size
    )
)


def reaches(edges: dict[int, list[int]], start: int) -> set[int]:
    return set(
        reach([node for node in edges[start] if node in edges], lambda node: [n for n in edges[node] if n in edges])
    )


@given(GRAPHS)
def test_a_component_holds_the_nodes_that_reach_each_other(edges: dict[int, list[int]]) -> None:
    groups = components(edges)
    assert sorted(node for group in groups for node in group) == sorted(edges)
    place = {node: number for number, group in enumerate(groups) for node in group}
    for one in edges:
        for other in edges:
            together = one == other or (other in reaches(edges, one) and one in reaches(edges, other))
            assert together == (place[one] == place[other])
            if other in reaches(edges, one):
                assert place[other] <= place[one], "followers come first"


@given(GRAPHS)
def test_a_node_in_a_cycle_reaches_itself(edges: dict[int, list[int]]) -> None:
    assert in_cycles(edges) == {node for node in edges if node in reaches(edges, node)}


@given(GRAPHS)
def test_a_shown_cycle_is_one(edges: dict[int, list[int]]) -> None:
    for group in components(edges):
        if group[0] in reaches(edges, group[0]):
            path = cycle_in(group, edges)
            assert all(after in edges[before] for before, after in zip(path, [*path[1:], path[0]], strict=True))


def test_a_long_chain_is_no_problem() -> None:
    edges = {number: [number + 1] for number in range(50_000)}
    assert len(components(edges)) == 50_000
