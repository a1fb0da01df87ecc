"""SF3xx and SF4xx: keys and digits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sma_flows.compiler.lower_ask import gather_pattern, menu_terminators
from sma_flows.compiler.patterns import PatternError, parse_pattern
from sma_flows.compiler.resolved import ResolvedFlow, ResolvedState
from sma_flows.compiler.rules.base import flow_rule
from sma_flows.flow.diagnostics import Diagnostic, report
from sma_flows.flow.nodes import Scalar, Span
from sma_flows.flow.states import GatherState, MenuState, WaitState, _Listening

_DIGITS = "0123456789"

SHORTEST_GAP = 100
"""Least `key_gap` in milliseconds (rules/limits.py)."""


def _conflicts(keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of keys of which the first is the beginning of the second. `digit` is any one of 0-9."""
    known = list(keys)
    for short in known:
        for long in known:
            if len(long) < 2 or long == "digit" or short == long:
                continue
            if long.startswith(short) or (short == "digit" and long[0] in _DIGITS):
                yield short, long


@flow_rule
def prefix_keys(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """One key of a state is the beginning of another (language reference 4, Keys)."""
    for state in flow.states.values():
        model = state.model
        if not isinstance(model, MenuState | _Listening):
            continue
        for short, long in _conflicts(model.keys):
            gap = isinstance(model, _Listening) and "key_gap" in model.model_fields_set
            second = flow.document.span((*state.path, "keys", long), key=True)
            first = flow.document.span((*state.path, "keys", short), key=True)
            wait = model.key_gap if isinstance(model, _Listening) else model.digit_gap
            yield report(
                "SF301",
                second,
                f"key {short} is the beginning of key {long}",
                label=f"after {short} it is not clear which one is meant",
                help=f"whoever presses {short} alone waits {wait} ms before anything happens"
                if gap
                else "choose another key"
                + (", or set `key_gap` so that a pause decides" if isinstance(model, _Listening) else ""),
                related=[(first, "the shorter key")],
                severity="note" if gap else None,
            )


@flow_rule
def deaf_wait(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A `wait` that is over before the service tells of a key (contract 4.8, the time between digits)."""
    for state in flow.states.values():
        model = state.model
        if not isinstance(model, WaitState) or not model.keys or model.wait > model.key_gap:
            continue
        shorter = max(SHORTEST_GAP, model.wait // 4)
        said = "key_gap" in model.model_fields_set
        yield report(
            "SF322",
            flow.document.span((*state.path, "keys"), key=True),
            f"no key can be heard in '{state.name}'",
            label=f"a key is told of {model.key_gap} ms after it was pressed, the wait is over after {model.wait} ms",
            help=(f"write `key_gap: {shorter}ms`, or " if shorter < model.wait else "")
            + f"wait longer than {model.key_gap}ms: keys of the last {model.key_gap} ms are lost",
            related=[(flow.span(*state.path, "key_gap"), "the time after a key")] if said else [],
        )


@flow_rule
def too_many_keys(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A menu uses all twelve keys: none is left to end an entry (contract 4.7, TerminatorDigits)."""
    for state in flow.states.values():
        if isinstance(state.model, MenuState) and state.model.keys and not menu_terminators(state.model):
            yield report(
                "SF405",
                flow.document.span((*state.path, "keys"), key=True),
                f"'{state.name}' uses all twelve keys",
                label="none is left to end an entry",
                help="leave one key free, for example pound",
            )
        if isinstance(state.model, MenuState) and not state.model.keys:
            yield report(
                "SF405",
                flow.document.span((*state.path, "keys"), key=True),
                f"the menu '{state.name}' has no keys",
                label="nothing can be chosen",
                help="add `keys: {1: STATE}`",
            )


@flow_rule
def digit_pattern(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """The pattern of a `gather` is not understood, or no entry can match it (contract 4.19, rule E11)."""
    for state in flow.states.values():
        model = state.model
        if not isinstance(model, GatherState):
            continue
        kind = flow.type_of(model.gather)
        if kind is None or kind.kind != "digits":
            continue
        low, high = kind.min or 1, kind.max or 1
        if model.pattern is not None:
            try:
                lengths = parse_pattern(model.pattern).lengths(_DIGITS)
            except PatternError as error:
                yield report(
                    "SF403",
                    _part(flow, state, error.offset),
                    "the pattern cannot be used",
                    label=str(error),
                    help="use keys, [0-9], |, ( ), ?, *, + and {4,6} only",
                )
                continue
            if not any(low <= length <= high for length in lengths):
                shown = "no entry" if not lengths else f"only entries of {_lengths(lengths)}"
                yield report(
                    "SF402",
                    flow.span(*state.path, "pattern"),
                    f"no entry of '{model.gather}' can match this pattern",
                    label=f"{shown} digits match",
                    help=f"'{model.gather}' has {low} to {high} digits"
                    if low != high
                    else f"'{model.gather}' has {low} digits",
                    related=[(flow.variables[model.gather].span, f"declared as {kind}")],
                )
                continue
        yield from _terminators(flow, state, model, low, high)


def _lengths(lengths: frozenset[int]) -> str:
    return f"{min(lengths)}" if len(lengths) == 1 else f"{min(lengths)} to {max(lengths)}"


def _part(flow: ResolvedFlow, state: ResolvedState, offset: int) -> Span:
    node = flow.document.node((*state.path, "pattern"))
    return node.part(min(offset, max(0, len(node.text) - 1))) if isinstance(node, Scalar) else state.span


def _terminators(
    flow: ResolvedFlow, state: ResolvedState, model: GatherState, low: int, high: int
) -> Iterator[Diagnostic]:
    pattern = parse_pattern(gather_pattern(model.pattern, low, high))
    every = pattern.lengths(_DIGITS)
    for key in model.finish_on:
        without = pattern.lengths([digit for digit in _DIGITS if digit != key])
        if key.isdigit() and (without != every or _needed(pattern.text, key)):
            yield report(
                "SF404",
                flow.span(*state.path, "finish_on"),
                f"key {key} ends the entry and is one of the digits asked for",
                label="an entry with it would end too early",
                help="write `finish_on: pound`",
            )


def _needed(pattern: str, key: str) -> bool:
    """Whether the pattern lets this digit stand anywhere."""
    parsed = parse_pattern(pattern)
    return any(keys is not None and key in keys for moves in parsed.moves for keys, _ in moves)
