"""Fourth pass: a resolved flow without errors becomes the FLOW of a plan.

Sub-flows are merged under a prefix, outcomes are complete, `keep` says what is saved at each rest, counters exist only
where something can happen twice. The result holds nothing that depends on the machine or the moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sma_flows.compiler.facts import facts_json
from sma_flows.compiler.liveness import Live
from sma_flows.compiler.lower_ask import tail_of
from sma_flows.compiler.lower_states import state_json, visits_counter
from sma_flows.compiler.lower_talk import Json, Scope, entry_json, expression, used_prompts
from sma_flows.compiler.overlaps import positions
from sma_flows.compiler.program import Program
from sma_flows.compiler.resolved import ResolvedFlow, ResolvedHook
from sma_flows.compiler.verbs import EFFECTS
from sma_flows.compiler.whole import understand
from sma_flows.flow.expressions import Expr
from sma_flows.flow.model import ScheduleModel

__all__ = ["APOLOGY", "lower_flow"]

APOLOGY: Final = "We are sorry. There is a technical problem. Please call again later. Goodbye."
"""What a caller hears when nothing else works. The flow's own words for it are its `defaults.next.failed`."""


def lower_flow(flow: ResolvedFlow) -> Json:
    """The FLOW object of a plan, `facts` included."""
    whole = understand(flow)
    program, kept, always = whole.program, whole.keep, sorted(whole.always)
    scopes = {prefix: Scope(each, prefix) for prefix, each in program.flows.items()}
    states = _states(program, scopes, kept)
    out: Json = {
        "name": flow.name,
        "entry": flow.entry,
        "start": flow.model.start,
        "states": states,
        "vars": _variables(program),
        "inputs": list(flow.model.inputs),
        "prompts": _prompts(scopes),
        "catalogues": _catalogues(program),
        "hooks": {
            prefix + name: _hook(hook, scopes[prefix])
            for prefix, each in program.flows.items()
            for name, hook in each.hooks.items()
        },
        "schedules": {
            prefix + name: _schedule(schedule)
            for prefix, each in program.flows.items()
            for name, schedule in each.model.schedules.items()
        },
        "updates": _updates(program, scopes[""], whole.live),
        "cleanup": _cleanup(flow, scopes[""]),
        "apology": _apology(flow),
        "env": environment(program),
        "keep": always,
        "overlap": positions(program),
    }
    policy = flow.model.dial_policy
    if policy is not None:
        out["policy"] = {
            "allow": [expression(prefix, scopes[""]) for prefix in policy.allow],
            "deny": [expression(prefix, scopes[""]) for prefix in policy.deny],
        }
        if policy.caller_id is not None:
            out["policy"]["caller_id"] = expression(policy.caller_id, scopes[""])
    failed = flow.model.defaults.next.get("failed")
    if failed is not None:
        out["failed"] = failed
    out["facts"] = facts_json(program, kept, always)
    return {key: value for key, value in out.items() if value not in ({}, [])} | {"states": states}


def _states(program: Program, scopes: Mapping[str, Scope], kept: Mapping[str, frozenset[str]]) -> dict[str, Json]:
    outer = program.outer.name
    states = {name: state_json(node.state, scopes[node.prefix], outer) for name, node in program.nodes.items()}
    twice = program.twice()
    for name, node in program.nodes.items():
        if kept.get(name):
            states[name]["keep"] = sorted(kept[name])
        if name in twice and node.state.verb in EFFECTS:
            states[name].setdefault("count", f"v:{name}")
        visits = node.state.model.visits
        if visits is not None and visits.since is not None:
            since = states.get(node.prefix + visits.since)
            if since is not None:
                counter = visits_counter(node.state, scopes[node.prefix])
                since["resets"] = sorted({*since.get("resets", ()), counter})
    _serials(states)
    tails: dict[tuple[Any, ...], int] = {}
    for name in sorted(states):
        plan = states[name]
        if plan["do"] in ("gather", "menu"):
            tail = tail_of(plan)
            plan["tick"] = tails.get(tail, 0)
            tails[tail] = plan["tick"] + 1
    return states


def _serials(states: Mapping[str, Json]) -> None:
    """Effects whose counter begins anew somewhere count once more for themselves: a token never comes twice."""
    anew = {counter for plan in states.values() for counter in plan.get("resets", ())}
    for name, plan in states.items():
        if plan["do"] in EFFECTS and plan.get("count") in anew:
            plan["serial"] = f"n:{name}"


def _variables(program: Program) -> dict[str, Json]:
    return {
        prefix + name: variable.type.to_json()
        for prefix, flow in program.flows.items()
        for name, variable in flow.variables.items()
    }


def _prompts(scopes: Mapping[str, Scope]) -> dict[str, Json]:
    out: dict[str, Json] = {}
    for prefix, scope in scopes.items():
        for name, locales in used_prompts(scope.flow).items():
            out[prefix + name] = {
                locale: [entry_json(entry, scope) for entry in entries] for locale, entries in locales.items()
            }
        out |= scope.literals
    return out


def _catalogues(program: Program) -> dict[str, Json]:
    out = {}
    for prefix, flow in program.flows.items():
        if flow.catalogue is None:
            continue
        locales = {}
        for name, voice in flow.catalogue.locales.items():
            fields = {"voice": voice.voice, "engine": voice.engine, "bot": voice.bot}
            locales[name] = {key: value for key, value in fields.items() if value}
        out[prefix] = {"default": flow.catalogue.default, "locales": locales}
    return out


def _hook(hook: ResolvedHook, scope: Scope) -> Json:
    model = hook.model
    out: Json = {"python": model.python} if model.python else {"builtin": model.builtin}
    if model.with_:
        out["with"] = {name: expression(value, scope) for name, value in model.with_.items()}
    if model.uses:
        out["uses"] = {
            name: {key: expression(value, scope) for key, value in settings.items()}
            for name, settings in model.uses.items()
        }
    if model.fields_:
        out["fields"] = list(model.fields_)
    out["outcomes"] = {
        outcome: {result: kind.to_json() for result, kind in results.items()}
        for outcome, results in hook.outcomes.items()
    }
    out |= {"main": hook.main, "budget": hook.budget_ms, "effect": hook.effect}
    if hook.long:
        out["long"] = True
    if model.undo is not None:
        out["undo"] = {
            "hook": scope.prefix + model.undo.name,
            "args": [expression(arg, scope) for arg in model.undo.args],
        }
    return out


def _schedule(schedule: ScheduleModel) -> Json:
    periods = []
    for name, ranges in schedule.periods.items():
        lowered = []
        for each in ranges:
            range_: Json = {"from": each.start, "to": each.end}
            if each.date is not None:
                range_["date"] = each.date
            if each.days is not None:
                range_["days"] = list(each.days)
            lowered.append(range_)
        periods.append([name, lowered])
    return {"zone": schedule.zone, "periods": periods}


def _updates(program: Program, scope: Scope, solved: Live) -> list[Json]:
    out = []
    for name, update in program.outer.model.updates.items():
        taken = {scope.name(argument) for argument in update.takes}
        lowered: Json = {
            "name": name,
            "match": update.match if update.match is not None else {"update": name},
            "next": scope.target(update.next),
            "keep": sorted(solved.into.get(scope.target(update.next), frozenset()) - taken),
        }
        if update.takes:
            lowered["takes"] = {argument: kind.to_json() for argument, kind in update.takes.items()}
            lowered["vars"] = {argument: scope.name(argument) for argument in update.takes}
        if update.when is not None:
            lowered["when"] = expression(update.when, scope)
        if update.during is not None:
            lowered["during"] = list(update.during)
        if update.queue is not None:
            lowered["queue"] = update.queue
        out.append(lowered)
    return out


def _cleanup(flow: ResolvedFlow, scope: Scope) -> list[Json]:
    out = []
    for item in flow.model.cleanup:
        step: Json = {"hook": item.run.name, "args": [expression(arg, scope) for arg in item.run.args]}
        if item.when is not None:
            step["when"] = expression(item.when, scope)
        out.append(step)
    return out


def _apology(flow: ResolvedFlow) -> Json:
    """The last words of the runtime, in the voice of the flow where that voice speaks English."""
    out: Json = {"text": APOLOGY}
    catalogue = flow.catalogue
    if catalogue is not None and catalogue.default.startswith("en") and catalogue.default in catalogue.locales:
        voice = catalogue.locales[catalogue.default]
        out |= {"voice": voice.voice, "language": catalogue.default}
        if voice.engine:
            out["engine"] = voice.engine
    return out


def environment(program: Program) -> Json:
    """Names of environment values: required ones, and those that a flow tests before it uses them."""
    required: set[str] = set()
    optional: set[str] = set()
    for expr, is_condition in _every_expression(program):
        for node, bare in _with_bareness(expr, is_condition):
            if node.op == "env":
                (optional if bare else required).add(str(node.args[0]))
    if any("audio" in kinds for kinds in _prompt_kinds(program)):
        required.add("PROMPTS")
    return {"required": sorted(required - optional), "optional": sorted(optional)}


def _with_bareness(expr: Expr, is_condition: bool) -> Iterator[tuple[Expr, bool]]:
    """Each node with whether it is a whole clause of a condition."""
    if is_condition and expr.op in ("and", "or", "not"):
        for arg in expr.args:
            if isinstance(arg, Expr):
                yield from _with_bareness(arg, True)
        return
    yield expr, is_condition and expr.op == "env"
    for below in list(expr.walk())[1:]:
        yield below, False


def _every_expression(program: Program) -> Iterator[tuple[Expr, bool]]:
    from sma_flows.compiler.uses import flow_expressions, inserted, prompt_items, state_expressions

    for flow in program.flows.values():
        for use in flow_expressions(flow.model):
            yield use.expr, use.condition
        for state in flow.states.values():
            for use in state_expressions(state):
                yield use.expr, use.condition
            for _, _, items in prompt_items(flow, state):
                for item in items:
                    if item.template is not None:
                        yield item.template, False
        for locales in used_prompts(flow).values():
            for entries in locales.values():
                for entry in entries:
                    for value in inserted(entry):
                        yield value, False


def _prompt_kinds(program: Program) -> Iterator[set[str]]:
    for flow in program.flows.values():
        yield {
            entry.kind for locales in used_prompts(flow).values() for entries in locales.values() for entry in entries
        }
        yield {variable.type.kind for variable in flow.variables.values()} & {"audio"}
