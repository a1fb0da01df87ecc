"""States as the plan writes them: one function per verb, and the keys that every state may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from sma_flows.compiler.lower_ask import ask_json, listen_json
from sma_flows.compiler.lower_talk import Json, Scope, expression, leg_json
from sma_flows.compiler.resolve import counts_entries
from sma_flows.compiler.resolved import ResolvedState
from sma_flows.flow.expressions import Expr
from sma_flows.flow.fields import Connector
from sma_flows.flow.states import (
    BotState,
    BridgeState,
    ChooseState,
    HangupState,
    JoinMeetingState,
    MuteState,
    PlayState,
    RecordCallState,
    RecordState,
    ReturnState,
    RunState,
    SayState,
    ScheduleState,
    SendDigitsState,
    SetState,
    StateBase,
    TakeState,
    UseState,
    VoiceFocusState,
    WaitState,
)

__all__ = ["state_json", "visits_counter"]

_CODES: Final = {"normal": "0", "unavailable": "480", "busy": "486"}
_TRACKS: Final = {"both": "BOTH", "incoming": "INCOMING", "outgoing": "OUTGOING"}
_OWN_LEG: Final = frozenset(("say", "play", "record_call", "voice_focus", "send_digits", "hangup"))

S = TypeVar("S", bound=StateBase)


def state_json(state: ResolvedState, scope: Scope, outer: str) -> Json:
    """The plan of one state without `keep`, `count`, `resets` and `tick`, which need the whole flow.

    `outer` is the name of the outer flow: limits that go over calls are counted under it.
    """
    out: Json = {"do": state.verb, **_verb(state, scope, outer)}
    edges = {name: edge for name, edge in state.edges.items() if name not in out.get("keys", {})}
    if edges:
        out["next"] = {name: scope.target(edge.target) for name, edge in edges.items()}
    own = sorted(name for name, edge in state.edges.items() if edge.source == "own")
    if own:
        out["own"] = own
    if state.model.visits is not None and counts_entries(state.model):
        out["visits"] = state.model.visits.n
        out["count"] = visits_counter(state, scope)
    pre = [_talk(name, state, scope) for name in state.model.before]
    if pre:
        out["pre"] = pre
    return out


def visits_counter(state: ResolvedState, scope: Scope) -> str:
    """The counter of a state's entries: shared ones by their name, others by the state's."""
    visits = state.model.visits
    shared = visits.counter if visits else None
    return f"c:{scope.prefix}{shared}" if shared else f"v:{scope.prefix}{state.name}"


def _talk(name: str, state: ResolvedState, scope: Scope) -> Json:
    """`say` or `play` in front of the verb. The state's `leg` is theirs unless the verb has one itself."""
    items = getattr(state.model, name) or ()
    out: Json = {"do": name, "items": scope.items(items, f"text:{state.name}:{name}")}
    if state.verb in ("say", "play") or state.verb not in _OWN_LEG:
        leg = leg_json(state.model.leg, scope)
        if leg != "A":
            out["leg"] = leg
    return out | _locale(state.model, scope)


def _locale(model: StateBase, scope: Scope) -> Json:
    return {} if model.locale is None else {"locale": expression(model.locale, scope)}


def _leg(model: StateBase, scope: Scope) -> Json:
    leg = leg_json(model.leg, scope)
    return {} if leg == "A" else {"leg": leg}


def _listen(state: ResolvedState, scope: Scope) -> Json:
    listen = listen_json(state, scope)
    return {"listen": listen} if listen else {}


def _say(state: ResolvedState, model: SayState, scope: Scope) -> Json:
    return {"items": scope.items(model.say, f"text:{state.name}:say")} | _leg(model, scope) | _locale(model, scope)


def _play(state: ResolvedState, model: PlayState, scope: Scope) -> Json:
    out: Json = {"items": scope.items(model.play, f"text:{state.name}:play")}
    if model.times > 1:
        out["times"] = model.times
    if model.stop_on:
        out["stop_on"] = list(model.stop_on)
    return out | _leg(model, scope) | _locale(model, scope) | _listen(state, scope)


def _record(state: ResolvedState, model: RecordState, scope: Scope) -> Json:
    out: Json = {
        "var": scope.name(model.record),
        "max": model.max // 1000,
        "to": expression(model.to, scope),
        "terminators": list(model.finish_on) or ["#"],
    }
    if model.silence is not None:
        out["silence"] = model.silence // 1000
        out["level"] = model.silence_level
    if model.beep:
        out["beep"] = scope.items(model.beep, f"text:{state.name}:beep")
    return out


def _record_call(_state: ResolvedState, model: RecordCallState, scope: Scope) -> Json:
    out: Json = {"op": model.record_call} | _leg(model, scope)
    if model.to is not None:
        out["to"] = expression(model.to, scope)
        out["track"] = _TRACKS[model.track or "both"]
    if model.into is not None:
        out["into"] = scope.name(model.into)
    return out


def policy_applies(number: Expr) -> bool:
    """Whether the dial policy is asked: for every number that is not a plain `env.NAME`."""
    return number.op != "env"


def _bridge(state: ResolvedState, model: BridgeState, scope: Scope) -> Json:
    if isinstance(model.bridge, Connector):
        out: Json = {
            "connector": expression(model.bridge.connector, scope),
            "user": expression(model.bridge.user, scope),
        }
    else:
        out = {"number": expression(model.bridge, scope)}
        if policy_applies(model.bridge):
            out["policy"] = True
    out["ring"] = model.ring_for // 1000
    if model.caller_id is not None:
        out["caller_id"] = expression(model.caller_id, scope)
    if model.ringback:
        out["ringback"] = scope.items(model.ringback, f"text:{state.name}:ringback")
    if model.headers:
        out["headers"] = {name: expression(value, scope) for name, value in model.headers.items()}
    return out | _connected(model.connected, scope) | _listen(state, scope)


def _connected(target: str | None, scope: Scope) -> Json:
    return {} if target is None else {"connected": scope.target(target)}


def _join(state: ResolvedState, model: JoinMeetingState, scope: Scope) -> Json:
    out: Json = {"meeting": expression(model.join_meeting, scope)}
    if model.token is not None:
        out["token"] = expression(model.token, scope)
    if model.attendee is not None:
        out["attendee"] = expression(model.attendee, scope)
    return out | _connected(model.connected, scope) | _listen(state, scope)


def _mute(_state: ResolvedState, model: MuteState, _scope: Scope) -> Json:
    return {"op": model.mute, "who": model.who}


def _bot(state: ResolvedState, model: BotState, scope: Scope) -> Json:
    out: Json = {"alias": expression(model.bot, scope), "intents": list(model.intents)}
    if model.welcome:
        out["welcome"] = scope.items(model.welcome, f"text:{state.name}:welcome")
    if isinstance(model.attributes, dict):
        out["attributes"] = {name: expression(value, scope) for name, value in model.attributes.items()}
    elif model.attributes is not None:
        out["attributes"] = expression(model.attributes, scope)
    if model.into:
        out["into"] = {scope.name(variable): list(result) for variable, result in model.into.items()}
    return out | _locale(model, scope)


def _voice_focus(_state: ResolvedState, model: VoiceFocusState, scope: Scope) -> Json:
    return {"on": model.voice_focus} | _leg(model, scope)


def _send_digits(_state: ResolvedState, model: SendDigitsState, scope: Scope) -> Json:
    return {"digits": expression(model.send_digits, scope), "tone": model.tone} | _leg(model, scope)


def _wait(state: ResolvedState, model: WaitState, scope: Scope) -> Json:
    return {"ms": model.wait} | _listen(state, scope)


def _run(state: ResolvedState, model: RunState, scope: Scope, outer: str) -> Json:
    out: Json = {"hook": scope.prefix + model.run.name}
    if model.run.args:
        out["args"] = [expression(arg, scope) for arg in model.run.args]
    gives = {result: variable for results in state.results.values() for result, variable in results.items()}
    if gives:
        out["gives"] = {result: scope.name(variable) for result, variable in gives.items()}
    limits = []
    for rule in model.limit:
        limit: Json = {"outcome": rule.outcome, "max": rule.max}
        full = f"{scope.prefix}{state.name}"
        if rule.per == "call":
            limit |= {"per": "call", "counter": f"l:{full}:{rule.outcome}"}
        else:
            limit |= {"per": "caller" if rule.per == "caller" else "var", "window": rule.window_s}
            limit["name"] = f"{outer}:{full}:{rule.outcome}:{rule.per}"
            if rule.per != "caller":
                limit["var"] = scope.name(rule.per)
        limits.append(limit)
    if limits:
        out["limits"] = limits
    if model.while_ is not None:
        out["items"] = scope.items(model.while_, f"text:{state.name}:while")
        out["at_most"] = model.at_most
        return out | _locale(model, scope)
    return out


def _choose(_state: ResolvedState, model: ChooseState, scope: Scope) -> Json:
    if isinstance(model.choose, dict):
        return {"cases": [[name, expression(when, scope)] for name, when in model.choose.items()]}
    return {"value": expression(model.choose, scope)}


def _schedule(_state: ResolvedState, model: ScheduleState, scope: Scope) -> Json:
    return {"name": scope.prefix + model.schedule}


def _take(_state: ResolvedState, model: TakeState, scope: Scope) -> Json:
    return {"var": scope.name(model.take.variable), "from": scope.name(model.take.source)}


def _set(_state: ResolvedState, model: SetState, scope: Scope) -> Json:
    return {"set": [[scope.name(name), expression(value, scope)] for name, value in model.set.items()]}


def _use(state: ResolvedState, model: UseState, scope: Scope) -> Json:
    sub = scope.flow.subflows[model.use]
    inside = f"{sub.name}/"
    out: Json = {"flow": inside, "start": inside + sub.model.start}
    if model.with_:
        out["with"] = [[inside + name, expression(value, scope)] for name, value in model.with_.items()]
    into = {result: variable for results in state.results.values() for result, variable in results.items()}
    if into:
        out["into"] = [[scope.name(variable), inside + result] for result, variable in into.items()]
    if sub.variables:
        out["clear"] = sorted(inside + name for name in sub.variables)
    return out


def _return(_state: ResolvedState, model: ReturnState, _scope: Scope) -> Json:
    return {"outcome": model.return_}


def _hangup(_state: ResolvedState, model: HangupState, scope: Scope) -> Json:
    return {"code": _CODES[model.hangup]} | _leg(model, scope)


_LOWER: Final[Mapping[str, Callable[..., Json]]] = {
    "say": _say,
    "play": _play,
    "record": _record,
    "record_call": _record_call,
    "bridge": _bridge,
    "join_meeting": _join,
    "mute": _mute,
    "bot": _bot,
    "voice_focus": _voice_focus,
    "send_digits": _send_digits,
    "wait": _wait,
    "choose": _choose,
    "schedule": _schedule,
    "take": _take,
    "set": _set,
    "use": _use,
    "return": _return,
    "hangup": _hangup,
}


def _verb(state: ResolvedState, scope: Scope, outer: str) -> dict[str, Any]:
    if state.verb in ("gather", "menu"):
        return ask_json(state, scope)
    if isinstance(state.model, RunState):
        return _run(state, state.model, scope, outer)
    return _LOWER[state.verb](state, state.model, scope)
