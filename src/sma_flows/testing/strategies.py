"""Hypothesis strategies: whatever callers, parties, hooks, the service and the function can do to a call.

::

    from hypothesis import given
    from sma_flows.testing import Lab, trials

    lab = Lab("flows/dial-in.yaml")

    @given(trials(lab))
    def test_every_call_is_sound(trial):
        assert not trial.violations

:func:`fuzz_call` is that test in one line. What is drawn first is the simplest: a call shrinks towards one in which
nothing unusual happens and everybody hangs up at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sma_flows.runtime.ask import Ask
from sma_flows.simulator.messages import BotResult, Callee, HangUp, MeetingEnds, Stray, Talk, Update
from sma_flows.simulator.switches import CHOICES
from sma_flows.testing.documented import ERRORS
from sma_flows.testing.lab import Lab, Setting, Trial, some_value, usual
from sma_flows.testing.moves import Function, Listen, Move, Press, Silence, Wait
from sma_flows.testing.script import SOME_DAY
from sma_flows.testing.session import QUESTIONS

__all__ = ["answers", "fuzz_call", "moves", "settings", "trials", "values"]

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]

MOST_MOVES: Final = 24
"""Moves of one call. After them everybody listens to the end and hangs up."""

DIGITS: Final = "739184620573918462057391846205"
"""Typed where digits are wanted. No number of the simulator looks like a part of it, so a search finds only leaks."""

SECRETS: Final = "826405937182640593718264059371"
"""The same for secrets."""

TIMES: Final = (
    SOME_DAY,
    datetime(2026, 11, 22, 3, 0, tzinfo=UTC),  # a Saturday night in New York
    datetime(2026, 12, 25, 16, 0, tzinfo=UTC),  # a holiday
    datetime(2026, 11, 1, 5, 59, tzinfo=UTC),  # the hour in which clocks are set back there
)

WAITS: Final = (100, 1_000, 300, 4_000, 6_000, 12_000, 40_000)
HOWS: Final = ("slow", "retried", "raises", "dies", "garbled")


# ---- small choices -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _below(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


def _pick(draw: Draw, options: Sequence[T]) -> T:
    """One of *options*; the first is the simplest."""
    return options[draw(_below(len(options)))] if len(options) > 1 else options[0]


def _rarely(draw: Draw, one_in: int) -> bool:
    """True now and then; False is the simpler."""
    return bool(draw(_below(one_in)) == one_in - 1)


# ---- how a call begins ---------------------------------------------------------------------------------------------


@st.composite
def settings(draw: Draw, lab: Lab) -> Setting:
    """How a call begins: when, with which arguments, on which kind of service."""
    return _setting(draw, lab)


def _setting(draw: Draw, lab: Lab) -> Setting:
    switches: dict[str, str] = {}
    if _rarely(draw, 3):
        switches["overlap"] = "parallel"
    while _rarely(draw, 3) and len(switches) < 4:
        name = _pick(draw, tuple(CHOICES))
        switches[name] = _pick(draw, CHOICES[name][1:])
    inputs = None
    if lab.outbound:
        types = lab.flow["vars"]
        inputs = tuple((name, _text(_value(draw, types[name]))) for name in lab.flow.get("inputs", ()))
        if inputs and _rarely(draw, 8):
            inputs = inputs[:-1]
    return replace(lab.setting(), at=_pick(draw, TIMES), inputs=inputs, switches=lab.settled(switches))


# ---- values, and what hooks answer ---------------------------------------------------------------------------------


@st.composite
def values(draw: Draw, kind: Mapping[str, Any]) -> Any:
    """A value of a declared type (``docs/plan.md``, TYPE)."""
    return _value(draw, kind)


def _value(draw: Draw, kind: Mapping[str, Any]) -> Any:
    low = kind.get("min") or 0
    high = kind.get("max") or max(low, 12)
    match kind["t"]:
        case "digits":
            size = _pick(draw, sorted({max(1, low), high}))
            return (DIGITS * (size // len(DIGITS) + 1))[:size]
        case "text":
            return _pick(draw, ("x" * max(1, low), "é<&|,;=\"x'"[:high].ljust(low, "y"), "z" * min(high, 300)))
        case "number":
            return _pick(draw, (low, high, -1, 0))
        case "boolean":
            return _pick(draw, (False, True))
        case "one_of":
            return _pick(draw, kind.get("words") or ("x",))
        case "phone":
            return _pick(draw, ("+12065550150", "+14155550177", "+19005550100"))
        case "locale":
            return _pick(draw, ("en-US", "es-US", "fr-FR"))
        case "leg":
            return _pick(draw, ("A", "B"))
        case "list":
            return [_value(draw, kind["item"]) for _ in range(_pick(draw, (0, 1, min(3, kind.get("max") or 3))))]
        case _:
            return some_value(kind)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


@st.composite
def answers(draw: Draw, ask: Ask) -> Any:
    """What a hook or a port answers to *ask*, as a calls file writes it: any declared outcome, raises, late, slow."""
    return _answer(draw, ask)


def _answer(draw: Draw, ask: Ask) -> Any:
    if _rarely(draw, 12):
        return _pick(draw, ("raises", "late"))
    if ask.port != "hook":
        reply: Any = usual(ask)
    else:
        outcomes: Mapping[str, Any] = ask.hook.get("outcomes") or {"done": {}}
        outcome = _pick(draw, tuple(outcomes))
        results = {name: _result(draw, kind) for name, kind in (outcomes[outcome] or {}).items()}
        reply = {outcome: results} if results else outcome
    if _rarely(draw, 4):
        whole = reply if isinstance(reply, dict) else {reply: {}}
        return {**whole, "after": _pick(draw, ("300ms", "900ms", "2s"))}
    return reply


def _result(draw: Draw, kind: Mapping[str, Any]) -> Any:
    if _rarely(draw, 12):
        return _pick(draw, ("unset", "w" * 5_000))
    return _value(draw, kind)


# ---- moves ---------------------------------------------------------------------------------------------------------


@st.composite
def moves(draw: Draw, trial: Trial) -> Move:
    """Something that can happen to this call now: mostly what somebody wants to hear, else anything."""
    return _move(draw, trial)


def _move(draw: Draw, trial: Trial) -> Move:
    return _pick(draw, _ODDS)(draw, trial)


def _natural(draw: Draw, trial: Trial) -> Move:
    """What is waited for: keys at a question, words in a recording, an answer of a party. Else everybody listens."""
    session = trial.session
    network, running = session.phone.network, session.running
    first = network.leg("LEG-A")
    if first is not None and first.status == "ringing":
        return Callee(_pick(draw, ("answers", "rings", "no_answer", "busy", "voicemail", "rejects")))
    if not session.resting:
        return Listen()
    if running in QUESTIONS:
        return _entry(draw, trial)
    if running == "RecordAudio":
        return Talk(_pick(draw, (2_000, 200_000)))
    if running == "StartBotConversation":
        return _bot(draw, trial)
    if running == "CallAndBridge":
        return Callee(_pick(draw, ("answers", "rings", "no_answer", "busy", "voicemail", "rejects")))
    if network.joined:
        keys = _background(trial)
        if keys and not _rarely(draw, 3):
            return Press(_pick(draw, keys))
        return _leave(draw, trial)
    return Listen()


def _state(trial: Trial) -> Mapping[str, Any]:
    turns = trial.session.turns
    found: Mapping[str, Any] = trial.lab.flow["states"].get(turns[-1].after.state, {}) if turns else {}
    return found


def _entry(draw: Draw, trial: Trial) -> Move:
    state = _state(trial)
    running = trial.session.phone.network.running
    params = running.action.parameters() if running is not None else {}
    leg = running.leg if running is not None else "LEG-A"
    if state.get("do") == "menu":
        keys = _plain(state["keys"])
        right = _pick(draw, keys)
    else:
        low, high = int(params.get("MinNumberOfDigits", 1)), int(params.get("MaxNumberOfDigits", 6))
        size = _pick(draw, sorted({max(1, state.get("min", low)), state.get("max", high)}))
        start = draw(_below(5))
        digits = SECRETS if trial.is_secret(state.get("var")) else DIGITS
        right = (digits * (size // 20 + 1))[start : start + size]
        right += "#" if size < high else ""
    if _rarely(draw, 5):
        return Press(_pick(draw, ("#", right[:-1] + "#", "0", "*" * 3, right + "5" * 12)), leg)
    return Press(right, leg)


def _plain(keys: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for key in keys:
        found += "0123456789" if key == "digit" else [key]
    return found


def _background(trial: Trial) -> list[str]:
    after = trial.session.turns[-1].after
    states = trial.lab.flow["states"]
    return [
        key
        for name in dict.fromkeys((after.base, after.state))
        for key in _plain((states.get(name, {}).get("listen") or {}).get("keys", {}))
    ]


def _bot(draw: Draw, trial: Trial) -> Move:
    if _rarely(draw, 6):
        return BotResult(error=_pick(draw, ("SystemException", "ResourceNotFound", "ActionExecutionThrottled")))
    state = _state(trial)
    intent = _pick(draw, (*(state.get("intents") or ()), "FallbackIntent", "Undeclared"))
    slots = {key: _pick(draw, ("billing", None, "x" * 400)) for _, key in (state.get("into") or {}).values()}
    status = _pick(draw, ("ReadyForFulfillment", "Fulfilled", "Failed"))
    return BotResult(intent, status, tuple(slots.items()))


def _hang_up(draw: Draw, trial: Trial) -> Move:
    tags = [leg.tag for leg in trial.session.phone.network.legs if not leg.gone and leg.status != "ringing"]
    return HangUp(_pick(draw, tags or ["LEG-A"]))


def _leave(draw: Draw, trial: Trial) -> Move:
    if trial.session.phone.network.joined.startswith("meeting"):
        ends: tuple[Move, ...] = (MeetingEnds(), HangUp("LEG-A"))
        return _pick(draw, ends)
    return _pick(draw, (HangUp("LEG-B"), HangUp("LEG-A")))


def _anything(draw: Draw, trial: Trial) -> Move:
    keys = _pick(draw, ("1", "#", "*6", "5", "*", "0", "12345678", *_background(trial)))
    return Press(keys, _pick(draw, ("LEG-A", "LEG-A", "LEG-B")))


def _listen(_draw: Draw, _trial: Trial) -> Move:
    return Listen()


def _silence(_draw: Draw, _trial: Trial) -> Move:
    return Silence()


def _wait(draw: Draw, _trial: Trial) -> Move:
    return Wait(_pick(draw, WAITS))


def _update(draw: Draw, trial: Trial) -> Move:
    known = trial.lab.flow.get("updates") or ()
    if not known or _rarely(draw, 4):
        return Update(_pick(draw, ((), (("kind", "unknown"),))))
    update = _pick(draw, known)
    given = dict(update.get("match", {}))
    given |= {
        name: "not of its type" * 40 if _rarely(draw, 5) else _text(_value(draw, kind))
        for name, kind in update.get("takes", {}).items()
    }
    return Update(tuple(given.items()))


_BREAKS: Final = tuple(one for breaks in ERRORS.values() for one in breaks)


def _break(draw: Draw, trial: Trial) -> Move:
    """Mostly something that can fail soon: what was answered last, else any action."""
    types = {one.type for one in trial.session.phone.network.rest}
    types |= {str(action.get("Type")) for action in (trial.session.turns[-1].actions if trial.session.turns else ())}
    soon = tuple(one for kind in sorted(types & ERRORS.keys()) for one in ERRORS[kind])
    if soon and not _rarely(draw, 3):
        return _pick(draw, soon)
    return _pick(draw, _BREAKS)


def _function(draw: Draw, _trial: Trial) -> Move:
    return Function(_pick(draw, HOWS))


def _stray(draw: Draw, trial: Trial) -> Move:
    """The latest report comes once more, with the number that it had or with the next one.

    Not an older one: which of two lists a report belongs to is all that can be told (decision 9).
    """
    before = [
        turn for turn in trial.session.turns if turn.kind in ("ACTION_SUCCESSFUL", "ACTION_FAILED", "DIGITS_RECEIVED")
    ]
    if not before:
        return Listen()
    return stray_of(before[-1].event, same_sequence=_rarely(draw, 2))


def stray_of(event: str, *, same_sequence: bool) -> Stray:
    """The move that lets the service send *event* (JSON) again, in the call as it is then."""
    told = json.loads(event)
    data = told.get("ActionData")
    leg = (data or {}).get("Parameters", {}).get("ParticipantTag")
    if leg is None:
        ids = {one["CallId"]: one["ParticipantTag"] for one in told["CallDetails"]["Participants"]}
        leg = ids.get((data or {}).get("Parameters", {}).get("CallId"), "LEG-A")
    text = json.dumps(data, ensure_ascii=False) if data else ""
    return Stray(told["InvocationEventType"], leg, text, told["Sequence"] if same_sequence else None)


_ODDS: Final[tuple[Callable[[Draw, Trial], Move], ...]] = (
    *[_natural] * 60,
    *[_listen] * 4,
    *[_silence] * 5,
    *[_anything] * 5,
    *[_wait] * 6,
    *[_update] * 3,
    *[_break] * 4,
    *[_function] * 4,
    *[_stray] * 3,
    *[_hang_up] * 3,
)
"""How often each kind of move is tried."""


# ---- whole calls ---------------------------------------------------------------------------------------------------


@st.composite
def trials(draw: Draw, lab: Lab, *, most_moves: int = MOST_MOVES) -> Trial:
    """A whole call of *lab*, played and judged: see ``violations``, ``moves``, ``given`` and ``session`` of it."""
    with lab.call(_setting(draw, lab), lambda ask: _answer(draw, ask)) as trial:
        for _ in range(most_moves):
            if trial.watch.found or trial.session.phone.over or draw(_below(60)) == 0:
                break
            trial.make(_move(draw, trial))
        trial.finish()
        return trial


class UnsoundError(AssertionError):
    """A drawn call in which an invariant did not hold: the text is the violation with its transcript."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        super().__init__(str(trial.violations[0]))


def fuzz_call(
    flow: Path | str | Lab, *, max_examples: int = 300, derandomize: bool = True, **options: Any
) -> Callable[[], None]:
    """A test that draws calls of *flow* and fails with the smallest one in which an invariant does not hold.

    ``test_dial_in_is_sound = fuzz_call("flows/dial-in.yaml")`` is a whole test. *options* are those of
    :class:`~sma_flows.testing.lab.Lab`.

    Raises:
        UnplayableError: the flow does not compile.
    """
    lab = flow if isinstance(flow, Lab) else Lab(flow, **options)

    @hypothesis_settings(
        max_examples=max_examples,
        derandomize=derandomize,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(trials(lab))
    def drawn_call(trial: Trial) -> None:
        if trial.violations:
            raise UnsoundError(trial)

    return drawn_call
