"""The working copy of one invocation: the call, the event, and the list of actions being collected.

A frame is made for one event, walked from state to state, and turned into an answer. States (``nodes``) call its
methods; it never talks to the world. Where an outside result is needed the walk stops with ``ask`` and ``resume`` set,
and goes on when the reply is fed in (:mod:`sma_flows.runtime.step`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import TYPE_CHECKING, Any, Final

from sma_flows.protocol.actions import CODES, Action, InvalidActionError, mark
from sma_flows.runtime.ask import Ask, CallInfo, ServiceReply

if TYPE_CHECKING:
    import datetime as dt

    from sma_flows.protocol.events import Invocation
    from sma_flows.runtime.callstate import Call
    from sma_flows.runtime.nodes import Node
    from sma_flows.runtime.program import FlowProgram

BACK: Final = "back"
HANG_UP: Final = "hangup"
MAX_ACTIONS: Final = 10
"""Most actions of one answer. Contract L2."""

MAX_HOPS: Final = 2_000
"""States one event may pass without an answer. The compiler bounds loops; this bounds a damaged plan."""

Visit = tuple[str, str, str, str]
"""What a walk has come by: kind, state, label, target. Kinds: ``start`` (of the flow), ``state`` (it does its work),
``outcome`` (and the key of a menu), ``key`` (in the background), ``connected``, ``update``, ``use`` (into a sub-flow),
``attempt`` (a question is asked; the label counts from 1), ``action`` (one is added to the answer; the label is its
tail: code, leg and digest)."""

Part = tuple[str, Action, str]
"""A leg, an action for it, and the digest of its telling parameters where that is known (else empty)."""

MAX_HEADER: Final = 2048
"""Longest SIP header value. Contract 6.3."""

SILENT_WORDS: Final = '<speak><break time="100ms"/></speak>'
"""Failure words where the flow has none: the service demands some (contract 4.12)."""

SILENT_FILE: Final = "silence.wav"
"""The same for questions that are files (contract 4.7); a flow's prompt bucket holds it."""


_new: Final = tuple.__new__


class StepError(Exception):
    """The walk cannot go on: the plan is damaged or a bound is passed. Answered by the flow's error path."""


class Frame:
    """See the module. ``resting`` is set when the call is bridged or in a meeting and no list is running."""

    call: Call
    event: Invocation

    # Class attributes as defaults instead of slots: most frames set few of them.
    ask: Ask | None = None
    asked = False
    at: Node | None = None
    """The state at work: a value that does not fit its action is its failure."""
    departure = False
    ended_by: str | None = None
    hangup_code: int | None = None
    head: Sequence[Action] = ()
    """Listeners to register again, in front of everything else."""
    hops = 0
    known: CallInfo | None = None
    """What hooks may know of the call, but for locale and state: made for the first of them."""
    note = ""
    resting = False
    risky = False
    """A pending action leads to a place of its own when it fails: what comes behind it may never happen."""
    resume: Callable[[Frame, ServiceReply], str | None] | None = None
    spoken: tuple[str, str | None] | None = None
    """Prefix and locale of the words being made: a prompt that is inserted into them follows."""
    todo: Sequence[Callable[[Frame], bool]] = ()
    """Clean-up steps still to be asked for."""

    def __init__(self, flow: FlowProgram, call: Call, event: Invocation, now: dt.datetime) -> None:
        self.flow = flow
        self.call = call
        self.event = event
        self.now = now
        self.vars = call.vars
        self.counters = call.counters
        self.actions: list[Action] = []
        self.owners: list[tuple[str, str]] = []
        self.line_dead = event.leg_a is None or not event.leg_a.alive
        self.watch = flow.watch

    # ---- walking -------------------------------------------------------------------------------------------------

    def walk(self, target: str | None) -> None:
        """Go from state to state until an answer is complete or the world is asked."""
        nodes = self.flow.nodes
        while target is not None:
            self.hops += 1
            if self.hops > MAX_HOPS:
                raise StepError("too many states without an answer")
            try:
                node = nodes.get(target)
                if node is None:
                    target = self._special(target)
                else:
                    self.at = node
                    target = node.enter(self)
            except InvalidActionError as error:
                self.note = str(error)
                target = self.leave(self.at, "failed") if self.at is not None else HANG_UP

    def _special(self, target: str) -> str | None:
        if target == BACK:
            return self.back()
        if target == HANG_UP:
            return self.hang_up_caller()
        if target[0] == "!":  # entered before, its visit is counted already
            self.at = node = self.flow.node(target[1:])
            return node.work(self)
        self.at = node = self.flow.node(target)
        return node.enter(self)

    def leave(self, node: Node, outcome: str) -> str | None:
        """Where *outcome* leads from *node*; failures obey rules 26 and 27 of the decisions."""
        target = node.next.get(outcome)
        if outcome in ("failed", "refused"):
            target = self._give_up(node, outcome, target)
        if target is None:
            target = HANG_UP
        if self.watch is not None:
            self.watch.append(("outcome", node.name, outcome, target))
        return target

    def _give_up(self, node: Node, outcome: str, target: str | None) -> str | None:
        own = outcome in node.own or (outcome == "refused" and "failed" in node.own)
        if not own and self.call.base and self.flow.node(self.call.base).connects:
            return BACK
        if not own or target == self.flow.failed:
            if "e" in self.call.flags or target is None:
                return HANG_UP
            self.call.flags += "e"
        return target

    def back(self) -> str | None:
        """Return to the base of an aside, or to the last state that listened (decision 30)."""
        call = self.call
        stack, _, heard = call.heard.rpartition(":")
        base = call.base or heard
        if not base:
            return HANG_UP
        if base == heard:
            call.stack = stack
        node = self.flow.node(base)
        if call.base and node.connects:
            if self.actions:
                call.then = BACK
                return None
            queued = self.next_update()
            if queued is not None:
                return queued
            call.pos = base
            call.aside = ""
            call.then = ""
            self.resting = True
            if not self.head:  # keys that meant nothing during the aside may have used the listener up (decision 30)
                self.head = node.rearm(self)
            return None
        call.base = ""
        call.aside = ""
        return f"!{base}"

    def listen(self, node: Node) -> None:
        """*node* listens: `back` leads here from now on, and a former base that was not connected is over."""
        call = self.call
        call.heard = f"{call.stack}:{node.name}"
        call.base = ""
        call.aside = ""

    def next_update(self) -> str | None:
        """Take the next waiting update and give the state it leads to (decision 33)."""
        queue = self.vars.get("@queue")
        while isinstance(queue, list) and queue:
            name, values = queue[0] if isinstance(queue[0], list) and len(queue[0]) == 2 else ("", None)
            self.vars["@queue"] = queue = queue[1:]
            if not queue:
                del self.vars["@queue"]
            update = self.flow.updates.get(name)
            if update is not None and isinstance(values, dict):
                self.vars.update(values)
                self.call.aside = name
                if self.watch is not None:
                    self.watch.append(("update", "", name, update.next))
                return update.next
        return None

    def hang_up_caller(self) -> str | None:
        """Append the Hangup of leg A and stop; nothing when nobody is on the line."""
        if self.line_dead:
            return None
        if len(self.head) + len(self.actions) >= MAX_ACTIONS:
            self.call.then = HANG_UP
            return None
        self.actions.append({"Type": "Hangup", "Parameters": {**self.leg("A"), "SipResponseCode": "0"}})
        call = self.call
        self.owners.append(("H.A.0", f"{call.stack}:{call.pos}" if call.stack else call.pos))
        self.call.then = ""
        return None

    def add(self, node: Node, actions: Sequence[Part]) -> bool:
        """Append *actions* of *node*; False: the list was cut before them (L2, E16, decision 25)."""
        if self.line_dead:
            return False
        name = node.name
        stack = self.call.stack
        owner = f"{stack}:{name}" if stack else name
        owners = [
            (f"{CODES[a['Type']]}.{leg}.{digest or mark(a['Type'], a['Parameters'])}", owner)
            for leg, a, digest in actions
        ]
        if self.actions:
            if len(self.head) + len(self.actions) + len(actions) > MAX_ACTIONS or self._unclear(node, owners):
                self.call.then = f"!{name}"
                return False
            self.actions += [part[1] for part in actions]
            self.owners += owners
        elif self.owners:
            self.actions = [part[1] for part in actions]
            self.owners += owners
        else:
            self.actions = [part[1] for part in actions]
            self.owners = owners
        if self.watch is not None:
            self.watch.extend([("action", name, tail, "") for tail, _ in owners])
        self.call.pos = name
        self.call.then = ""
        self.risky = self.risky or node.risky
        return True

    def begin(self, node: Node, action: Action, tail: str) -> None:
        """As :meth:`add` for the first action of a list, prepared with its *tail*."""
        call, name = self.call, node.name
        self.actions = [action]
        self.owners.append((tail, f"{call.stack}:{name}" if call.stack else name))
        if self.watch is not None:
            self.watch.append(("action", name, tail, ""))
        call.pos = name
        call.then = ""
        self.risky = self.risky or node.risky

    def _unclear(self, node: Node, owners: Sequence[tuple[str, str]]) -> bool:
        """Whether a failure could not be told from one of an earlier action that leads elsewhere."""
        new = [tail for tail, _ in owners]
        for tail, owner in self.owners:
            if tail in new and owner.rpartition(":")[2] != node.name and self.failure_target(owner) != node.failing:
                return True
        return False

    def failure_target(self, owner: str) -> str:
        """Where a failure of *owner* leads, and whether the state itself says so."""
        return self.flow.node(owner.rpartition(":")[2]).failing if owner else ""

    def counted(self, counter: str) -> None:
        """A state was entered behind actions that can lead elsewhere when they fail: its visit can be taken back."""
        if self.risky:
            self.owners.append(("+", counter))

    # ---- legs ----------------------------------------------------------------------------------------------------

    def leg(self, name: str) -> dict[str, str]:
        """Target parameters of an action on leg ``A`` or ``B`` (rule E7: one of CallId and tag)."""
        leg = self.event.leg_a if name == "A" else self.event.leg_b
        if leg is None:
            return {"ParticipantTag": f"LEG-{name}"}
        return {"CallId": leg.call_id}

    def alive(self, name: str) -> bool:
        """Whether leg ``A`` or ``B`` is alive in this event."""
        leg = self.event.leg_a if name == "A" else self.event.leg_b
        return leg is not None and leg.alive

    def legs(self, where: str | Sequence[Any]) -> tuple[str, ...]:
        """The legs that a flow's word means: A, B, both, here, other, or a variable of type leg. Only living ones."""
        if where == "A":
            return ("A",) if self.alive("A") else ()
        word: Any = where if isinstance(where, str) else self.vars.get(where[1])
        if word in ("here", "other"):
            pressed = self.vars.get("key.leg") or "A"
            word = pressed if word == "here" else "B" if pressed == "A" else "A"
        names = ("A", "B") if word == "both" else (word,) if word in ("A", "B") else ()
        return tuple(name for name in names if self.alive(name))

    # ---- values --------------------------------------------------------------------------------------------------

    @property
    def direction(self) -> str:
        """``inbound`` or ``outbound``."""
        return self.flow.entry

    def locale(self) -> str | None:
        """The call's locale: set by the flow, else the default of its catalogue."""
        chosen = self.vars.get("call.locale")
        return chosen if isinstance(chosen, str) else self.flow.default_locale

    def header(self, name: str) -> str | None:
        """A SIP header of leg A, from this event or saved from the first one (decision 4)."""
        leg = self.event.leg_a
        value = leg.headers.get(name) if leg is not None and "SipHeaders" in leg.data else None
        return value if value is not None else self.vars.get(f"header.{name}")

    def user_to_user(self) -> str | None:
        """The User-to-User header decoded from hexadecimal (contract 6.3), or unset."""
        raw = self.header("user-to-user")
        if raw is None:
            return None
        try:
            return bytes.fromhex(raw.split(";", 1)[0].strip()).decode()
        except ValueError:
            return None

    def prompt_words(self, name: object, *, ssml: bool) -> str:
        """The words of the prompt called *name*, to be inserted into another one; nothing for a file."""
        return self.flow.speech.words(self, str(name), ssml=ssml) if isinstance(name, str) else ""

    def keep(self, names: Set[str], headers: Sequence[str]) -> None:
        """Forget every variable that is not read any more (decision 4), and keep the *headers* that still are.

        Names with @ are the runtime's own; a header is saved because later events may not repeat it.
        """
        values = self.vars
        for name in [*values]:
            if name not in names and name[:1] != "@" and name != "call.locale":
                del values[name]
        for name in headers:
            if name not in values:
                found = self.header(name[7:])
                if found is not None and len(found) <= MAX_HEADER:
                    values[name] = found

    def info(self, state: str) -> CallInfo:
        """What a hook may know of the call."""
        if self.known is None:
            event, leg = self.event, self.event.leg_a
            caller, called = (leg.text("From"), leg.text("To")) if leg is not None else ("", "")
            details = event.details
            application = details.get("SipMediaApplicationId") or details.get("SipApplicationId") or ""
            self.known = CallInfo(event.transaction, caller, called, "", "", self.direction, str(application))
        ident, caller, called, _, _, direction, application = self.known
        return _new(CallInfo, (ident, caller, called, self.locale() or "", state, direction, application))

    def goes_on(self) -> None:
        """The call went on after leg B had left: whatever ends it now, the callee did not."""
        if "B" in self.call.flags:
            self.call.flags = self.call.flags.replace("B", "")

    def depart(self, call_id: str) -> None:
        """Remember that the end of this leg was handled; a second report of it is late (decision 11)."""
        call = self.call
        if call_id and not has_departed(call, call_id):
            known = call.departed.split(",") if call.departed else []
            call.departed = ",".join([*known[-5:], short(call_id)])


def has_departed(call: Call, call_id: str) -> bool:
    """Whether the end of this leg was handled before."""
    return bool(call_id and call.departed) and short(call_id) in call.departed.split(",")


def short(call_id: str) -> str:
    """A short stand-in for a CallId, without characters that the header uses."""
    from zlib import crc32

    return format(crc32(call_id.encode("utf-8", "replace")), "x")
