"""Questions and background keys: patterns, terminators, and who repeats the question.

Two encodings (language.md section 3). `service`: the service repeats by itself, in one action; it cannot tell silence
from a wrong entry. `runtime`: one attempt per action, without pattern and with at least one digit, so that silence is a
failed action and a wrong entry a success that the runtime refuses. The first costs fewer invocations and is chosen
whenever the caller cannot hear a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sma_flows.compiler.lower_talk import Json, Scope, expression, leg_json
from sma_flows.compiler.patterns import keys_pattern, parse_pattern
from sma_flows.compiler.resolved import ResolvedFlow, ResolvedState
from sma_flows.compiler.uses import prompt_entries, retry_of
from sma_flows.flow.fields import PromptItem
from sma_flows.flow.prompts import EVERYWHERE
from sma_flows.flow.states import GatherState, MenuState, _Listening

__all__ = ["ask_json", "encoding_of", "gather_pattern", "key_lengths", "listen_json", "menu_terminators"]

FLUSH_MS: Final = 10_000
KEY_LIMIT: Final = 100
"""How often background keys of a state are heard per call, unless `visits` says otherwise (decision 32)."""


def ask_json(state: ResolvedState, scope: Scope) -> Json:
    """The plan of a `gather` or `menu`."""
    model = state.model
    assert isinstance(model, GatherState | MenuState)  # noqa: S101 - narrows the type
    out: Json = {}
    if isinstance(model, GatherState):
        kind = scope.flow.type_of(model.gather)
        low, high = (kind.min or 1, kind.max or 1) if kind else (1, 1)
        out |= {"var": scope.name(model.gather), "items": scope.items(model.prompt, f"text:{state.name}:prompt")}
        out |= {"min": low, "max": high, "regex": gather_pattern(model.pattern, low, high)}
        out["terminators"] = list(model.finish_on) or ["#"]
    else:
        low, high = key_lengths(model)
        out |= {"items": scope.items(model.menu, f"text:{state.name}:menu"), "min": low, "max": high}
        out |= {"regex": keys_pattern(list(model.keys)), "terminators": menu_terminators(model)}
        out["keys"] = {key: scope.target(target) for key, target in model.keys.items()}
    out |= {"timeout": model.timeout, "gap": model.digit_gap, "encoding": encoding_of(scope.flow, state)}
    if model.locale is not None:
        out["locale"] = expression(model.locale, scope)
    retry, place = retry_of(scope.flow, state)
    if retry is not None and retry.times:
        out["times"] = retry.times
        for word in ("no_input", "no_match"):
            items = getattr(retry, word)
            if items:
                where = "defaults" if place[0] == "defaults" else state.name
                out[word] = scope.items(items, f"text:{where}:{word}")
    return out


def gather_pattern(pattern: str | None, low: int, high: int) -> str:
    """The anchored pattern of the digits, without terminator."""
    if pattern is not None:
        return parse_pattern(pattern).text
    return f"^[0-9]{{{low}}}$" if low == high else f"^[0-9]{{{low},{high}}}$"


def key_lengths(model: MenuState) -> tuple[int, int]:
    """Shortest and longest entry of a menu."""
    lengths = [1 if key == "digit" else len(key) for key in model.keys] or [1]
    return min(lengths), max(lengths)


def menu_terminators(model: MenuState) -> list[str]:
    """A key that ends the entry and means nothing in the menu: pound, else star, else a digit. [] when none is left."""
    used = {character for key in model.keys if key != "digit" for character in key}
    if "digit" in model.keys:
        used |= set("0123456789")
    free = [key for key in "#*9876543210" if key not in used]
    return free[:1]


def encoding_of(flow: ResolvedFlow, state: ResolvedState) -> str:
    """`service` where repeating by the service sounds the same and leads to the same places, else `runtime`.

    Needed for that: silence and wrong entries lead to one state; the same words are said after both, and they can be
    the failure prompt of the action (one text, or one file, like the question); every attempt asks the same question.
    """
    model = state.model
    assert isinstance(model, GatherState | MenuState)  # noqa: S101 - narrows the type
    no_input, no_match = state.edges.get("no_input"), state.edges.get("no_match")
    if no_input is None or no_match is None or no_input.target != no_match.target:
        return "runtime"
    retry, _ = retry_of(flow, state)
    if retry is None or retry.times == 0:
        return "service"
    question = model.prompt if isinstance(model, GatherState) else model.menu
    if retry.no_input != retry.no_match:
        return "runtime"
    asked = set(_kinds(flow, question))
    words = set(_kinds(flow, retry.no_input)) if retry.no_input else asked  # none: the runtime sends silence
    return "service" if len(asked) == 1 and asked == words and asked != {"several"} else "runtime"


def _kinds(flow: ResolvedFlow, items: Sequence[PromptItem]) -> Iterator[str]:
    """How words are heard in each locale: `say`, `audio`, or `several` when no single prompt of an action does it."""
    locales = tuple(flow.catalogue.locales) if flow.catalogue else (EVERYWHERE,)
    for locale in locales:
        kinds = []
        for item in items:
            if item.kind == "name" and item.name in flow.variables:
                kinds.append(flow.variables[item.name].type.kind)
                continue
            entries = [entry for where, entry in prompt_entries(flow, item) if where in (locale, EVERYWHERE)]
            if len(entries) > 1:
                kinds.append("several")
            kinds += [entries[0].kind] if entries else ["say"]
        if set(kinds) == {"say"} or kinds == ["audio"]:
            yield kinds[0]
        else:
            yield "several"


def listen_json(state: ResolvedState, scope: Scope) -> Json | None:
    """The background keys of a state."""
    model = state.model
    if not isinstance(model, _Listening) or not model.keys:
        return None
    return {
        "keys": {key: scope.target(target) for key, target in model.keys.items()},
        "legs": leg_json(model.listen, scope),
        "gap": model.key_gap,
        "flush": FLUSH_MS,
        "regex": keys_pattern(list(model.keys)),
        "limit": model.visits.n if model.visits else KEY_LIMIT,
        "counter": f"k:{scope.prefix}{state.name}",
    }


def tail_of(plan: Json) -> tuple[Any, ...]:
    """What the service echoes of a question: two questions alike in it cannot be told apart by their report."""
    shown = ("items", "min", "max", "regex", "terminators", "timeout", "gap", "encoding", "times", "locale")
    return tuple(repr(plan.get(name)) for name in shown)
