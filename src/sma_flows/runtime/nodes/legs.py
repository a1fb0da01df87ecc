"""States that make, change or end legs, and those that only take time on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sma_flows.protocol.actions import Action, InvalidActionError, bucket_and_key, connector, dtmf, e164, sip_headers
from sma_flows.runtime.frame import MAX_ACTIONS, short
from sma_flows.runtime.nodes.base import Listener, Node, receive
from sma_flows.runtime.speech import File
from sma_flows.runtime.values import show

if TYPE_CHECKING:
    from sma_flows.runtime.ask import ServiceReply
    from sma_flows.runtime.frame import Frame, Part
    from sma_flows.runtime.program import FlowProgram
    from sma_flows.runtime.values import Value

MAX_PAUSE: Final = 30_000
"""Longest Pause in milliseconds (contract 4.5, error table)."""

MIN_PAUSE: Final = 100


def _get(value: Value | None, frame: Frame) -> Any:
    return None if value is None else value(frame)


class Connector(Node):
    """The common part of bridge and join_meeting: from the connection on the call rests here until leg B leaves."""

    connects = True
    listens = True
    departed = "ended"
    """Outcome when leg B leaves."""

    __slots__ = ("connected_to", "listener")

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.connected_to: str | None = state.get("connected")
        self.listener = Listener(state["listen"]) if "listen" in state else None

    def success(self, frame: Frame) -> str | None:
        """Leg B is there: listen for keys, then the `connected` aside, else rest."""
        call = frame.call
        call.base = call.pos = self.name
        call.aside = ""
        frame.head = self.rearm(frame)
        if self.connected_to is not None:
            if frame.watch is not None:
                frame.watch.append(("connected", self.name, "connected", self.connected_to))
            return self.connected_to
        frame.resting = True
        return None

    def rearm(self, frame: Frame) -> list[Action]:
        """The listeners of the state, if it has any."""
        return self.listener.arm(frame) if self.listener is not None else []

    def silent_report(self, frame: Frame) -> list[Action]:
        """A silent action that reports, so that a next event comes even if this answer loses a race (decision 24)."""
        return self.rearm(frame) or [receive(frame.leg("A"), Listener.NEVER)]

    def left(self, frame: Frame) -> str | None:
        """Leg B has left."""
        call = frame.call
        call.base = call.then = call.aside = ""
        frame.vars.pop("@queue", None)
        frame.departure = True
        return frame.leave(self, self.departed)


class BridgeNode(Connector):
    """A second telephone leg."""

    main = "ended"
    __slots__ = ("caller_id", "connector", "number", "sip", "user")

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.number = flow.optional(state.get("number"))
        self.connector = flow.optional(state.get("connector"))
        self.user = flow.optional(state.get("user"))
        self.caller_id = flow.optional(state.get("caller_id") or flow.policy.caller_id)
        self.sip = {header: flow.value(value) for header, value in state.get("headers", {}).items()}

    def work(self, frame: Frame) -> str | None:
        """Check the number against the dial policy, then call it."""
        if frame.alive("B"):
            return frame.leave(self, "failed")
        state = self.state
        if self.number is not None:
            number = e164(self.number(frame))
            if state.get("policy") and not self.flow.policy.allows(frame, number):
                return frame.leave(self, "refused")
            endpoint = {"BridgeEndpointType": "PSTN", "Uri": number}
        else:
            endpoint = connector(_get(self.connector, frame), _get(self.user, frame))
        caller_id = _get(self.caller_id, frame)
        if caller_id is None and frame.event.leg_a is not None:
            caller_id = frame.event.leg_a.text("To" if frame.direction == "inbound" else "From")
        params: dict[str, Any] = {
            **frame.leg("A"),
            "CallTimeoutSeconds": state.get("ring", 30),
            "CallerIdNumber": e164(caller_id),
            "Endpoints": [endpoint],
        }
        if state.get("ringback"):
            pieces = self.flow.speech.pieces(frame, state["ringback"], self.prefix, frame.locale())
            if len(pieces) != 1 or not isinstance(pieces[0], File):
                raise InvalidActionError("the ringback is not a file")
            params["RingbackTone"] = pieces[0].source()
        headers = sip_headers({header: value(frame) for header, value in self.sip.items()})
        if headers:
            params["SipHeaders"] = headers
        if frame.add(self, [*self.before(frame), ("A", {"Type": "CallAndBridge", "Parameters": params}, "")]):
            frame.listen(self)
        return None

    def failure(self, frame: Frame) -> str | None:
        """Nobody answered, or it could not be tried."""
        event = frame.event
        unanswered = event.action == "CallAndBridge" and event.error_type == "CallNotAnswered"
        return frame.leave(self, "no_answer" if unanswered else "failed")


class JoinNode(Connector):
    """The caller into a meeting."""

    departed = "left"
    main = "left"
    __slots__ = ("attendee", "meeting", "own_token")

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.meeting = flow.value(state["meeting"])
        self.own_token = flow.optional(state.get("token"))
        self.attendee = flow.optional(state.get("attendee"))

    def enter(self, frame: Frame) -> str | None:
        """As any state; without a token from outside the attendee service is asked, so a pending list ends first."""
        if self.own_token is None and frame.actions:
            frame.call.then = self.name
            return None
        return super().enter(frame)

    def work(self, frame: Frame) -> str | None:
        """Join with the given token, or ask for an attendee first (decision 14: made when it is used)."""
        if frame.line_dead:
            return None
        if frame.alive("B"):
            return frame.leave(self, "failed")
        meeting = self.meeting(frame)
        if not isinstance(meeting, str) or not meeting:
            return frame.leave(self, "failed")
        if self.own_token is not None:
            attendee = _get(self.attendee, frame)
            return self._join(frame, meeting, attendee, self.own_token(frame), made=False)
        self.ask(frame, "meetings.attend", "attend", (meeting,))
        frame.resume = self._attended
        return None

    def _attended(self, frame: Frame, reply: ServiceReply) -> str | None:
        if reply.outcome != "done":
            return frame.leave(self, "failed")
        meeting = self.meeting(frame)
        return self._join(frame, meeting, reply.values.get("attendee"), reply.values.get("token"), made=True)

    def _join(self, frame: Frame, meeting: str, attendee: object, token: object, *, made: bool) -> str | None:
        if not isinstance(token, str) or not 2 <= len(token) <= 2048:
            return frame.leave(self, "failed")
        if isinstance(attendee, str) and attendee:
            frame.vars["@attendee"] = f"{meeting} {attendee}"
            frame.vars.pop("@muted", None)
            if made:
                known = [item for item in frame.vars.get("@made", "").split(" / ") if item]
                frame.vars["@made"] = " / ".join([*known[1 - MAX_MADE :], f"{meeting} {attendee}"])
        params = {**frame.leg("A"), "JoinToken": token, "MeetingId": meeting}
        if frame.add(self, [*self.before(frame), ("A", {"Type": "JoinChimeMeeting", "Parameters": params}, "")]):
            frame.listen(self)
        return None


MAX_MADE: Final = 10
"""Attendees of one call that are deleted at its end; more meetings than that end by themselves (contract 10.1)."""


def attendee_of(frame: Frame) -> tuple[str, str] | None:
    """Meeting and attendee of the caller; None before a meeting was joined."""
    return _pair(frame.vars.get("@attendee"))


def made_attendees(frame: Frame) -> list[tuple[str, str]]:
    """Meetings and attendees that were made for this call, to be deleted at its end."""
    saved = frame.vars.get("@made")
    pairs = [_pair(item) for item in saved.split(" / ")] if isinstance(saved, str) else []
    return [pair for pair in pairs if pair is not None]


def _pair(saved: object) -> tuple[str, str] | None:
    meeting, _, attendee = saved.rpartition(" ") if isinstance(saved, str) else ("", "", "")
    return (meeting, attendee) if meeting and attendee else None


class MuteNode(Node):
    """Mute or unmute attendees of the meeting the caller is in."""

    __slots__ = ()
    MOST: Final = 100
    """Attendees in one action. Contract 4.4."""

    def enter(self, frame: Frame) -> str | None:
        """As any state; for others and all the roster is asked, so a pending list ends first."""
        if self.state.get("who", "self") != "self" and frame.actions:
            frame.call.then = self.name
            return None
        return super().enter(frame)

    def work(self, frame: Frame) -> str | None:
        """Mute the caller, or ask who is there."""
        own = attendee_of(frame)
        if own is None or not frame.alive("B"):
            return frame.leave(self, "failed")
        if self.state.get("who", "self") == "self":
            return self._send(frame, own[0], [own[1]])
        self.ask(frame, "meetings.roster", "roster", (own[0],), effect="read")
        frame.resume = self._roster
        return None

    def _roster(self, frame: Frame, reply: ServiceReply) -> str | None:
        who, own = reply.values.get("attendees"), attendee_of(frame)
        if reply.outcome != "done" or not isinstance(who, (list, tuple)) or own is None:
            return frame.leave(self, "failed")
        others = [a for a in who if isinstance(a, str) and (self.state["who"] == "all" or a != own[1])]
        return self._send(frame, own[0], others[: self.MOST]) if others else frame.leave(self, "done")

    def failure(self, frame: Frame) -> str | None:
        """What was not done is not remembered as done."""
        if self.state.get("who", "self") == "self":
            frame.vars.pop("@muted", None)
            if frame.event.params.get("Operation") == "Unmute":
                frame.vars["@muted"] = "yes"
        return frame.leave(self, "failed")

    def _send(self, frame: Frame, meeting: str, attendees: list[str]) -> str | None:
        op = self.state["op"]
        if op == "toggle":
            op = "off" if frame.vars.get("@muted") else "on"
        if self.state.get("who", "self") == "self":
            frame.vars["@muted"] = "yes"
            if op == "off":
                del frame.vars["@muted"]
        params = {
            **frame.leg("B"),
            "Operation": "Mute" if op == "on" else "Unmute",
            "MeetingId": meeting,
            "AttendeeList": attendees,
        }
        frame.add(self, [*self.before(frame), ("B", {"Type": "ModifyChimeMeetingAttendees", "Parameters": params}, "")])
        return None


class VoiceFocusNode(Node):
    """Noise suppression on or off, one action per leg."""

    __slots__ = ()

    def work(self, frame: Frame) -> str | None:
        """Append one action per living leg and go on."""
        legs = frame.legs(self.state.get("leg", "A"))
        if not legs and not frame.line_dead:
            return frame.leave(self, "failed")
        actions: list[Part] = [
            (leg, {"Type": "VoiceFocus", "Parameters": {**frame.leg(leg), "Enable": self.state["on"]}}, "")
            for leg in legs
        ]
        return frame.leave(self, "done") if frame.add(self, [*self.before(frame), *actions]) else None


class SendDigitsNode(Node):
    """Keys sent to a leg."""

    __slots__ = ("digits",)

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.digits = flow.value(state["digits"])

    def work(self, frame: Frame) -> str | None:
        """Append the action and go on."""
        legs = frame.legs(self.state.get("leg", "A"))
        if not legs and not frame.line_dead:
            return frame.leave(self, "failed")
        digits = dtmf(show(self.digits(frame)))
        tone = self.state.get("tone", 250)
        actions: list[Part] = []
        for leg in legs:
            params = {**frame.leg(leg), "Digits": digits, "ToneDurationInMilliseconds": tone}
            actions.append((leg, {"Type": "SendDigits", "Parameters": params}, ""))
        return frame.leave(self, "done") if frame.add(self, [*self.before(frame), *actions]) else None


class WaitNode(Node):
    """A pause, split above 30 seconds; with keys in the background it is a state of its own."""

    __slots__ = ("listener", "progress")

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.listener = Listener(state["listen"]) if "listen" in state else None
        self.progress = f"w:{name}"

    def work(self, frame: Frame) -> str | None:
        """Pause; what does not fit into this list follows on its report."""
        done = frame.counters.pop(self.progress, 0)
        remaining = max(self.state["ms"] - done * MAX_PAUSE, MIN_PAUSE)
        actions = self.before(frame) if not done else []
        room = MAX_ACTIONS - len(actions) - 2
        pauses = 0
        while remaining > 0 and pauses < room:
            length = min(remaining, MAX_PAUSE)
            rest = remaining - length
            if 0 < rest < MIN_PAUSE:  # the service refuses pauses below 100 ms
                length -= MIN_PAUSE
                rest += MIN_PAUSE
            params = {**frame.leg("A"), "DurationInMilliseconds": length}
            actions.append(("A", {"Type": "Pause", "Parameters": params}, ""))
            remaining = rest
            pauses += 1
        if not frame.add(self, actions):
            if done:
                frame.counters[self.progress] = done
            return None
        if self.listener is not None:
            frame.listen(self)
            frame.head = self.listener.arm(frame)  # its own keys, also where a key of another state led here
        if remaining > 0:
            frame.counters[self.progress] = done + pauses
            frame.call.then = f"!{self.name}"
            return None
        return None if self.listener is not None else frame.leave(self, "done")


class RecordCallNode(Node):
    """Recording of a whole leg: start, stop, pause, resume. The leg is remembered with its CallId (decision 1)."""

    __slots__ = ("to",)
    TYPES: Final = {
        "start": "StartCallRecording",
        "stop": "StopCallRecording",
        "pause": "PauseCallRecording",
        "resume": "ResumeCallRecording",
    }
    FROM: Final = {"start": ("",), "stop": ("on", "paused"), "pause": ("on",), "resume": ("paused",)}
    """In which status of the leg's recording an operation means anything (contract 3.3)."""

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.to = flow.optional(state.get("to"))

    def work(self, frame: Frame) -> str | None:
        """Send the action, or leave by `unchanged` where there is nothing to stop, pause or resume."""
        op = self.state["op"]
        legs = frame.legs(self.state.get("leg", "A"))
        if not legs:
            return None if frame.line_dead else frame.leave(self, "failed")
        running = dict(frame.vars.get("@rec") or {})
        actions: list[Part] = []
        for leg in legs:
            target = frame.leg(leg)
            started, status = running.get(leg, ("", ""))
            if started != short(target["CallId"]):
                status = ""
            if status not in self.FROM[op]:
                if op == "start":
                    return frame.leave(self, "failed")  # once per leg
                continue
            params: dict[str, Any] = dict(target)
            if op == "start":
                bucket, prefix = bucket_and_key(_get(self.to, frame))
                location = f"{bucket}/{prefix}" if prefix else bucket
                params["Track"] = self.state.get("track", "BOTH")
                params["Destination"] = {"Type": "S3", "Location": location}
            running[leg] = [short(target["CallId"]), {"pause": "paused", "stop": "over"}.get(op, "on")]
            actions.append((leg, {"Type": self.TYPES[op], "Parameters": params}, ""))
        if not actions:
            return frame.leave(self, "unchanged")
        if not frame.add(self, [*self.before(frame), *actions]):
            return None
        frame.vars["@rec"] = running
        return None if self.state.get("into") else frame.leave(self, "done")

    def success(self, frame: Frame) -> str | None:
        """Keep the location where the flow wants it."""
        into = self.state.get("into")
        if into:
            where = frame.event.data.get("CallRecordingDestination")
            location = where.get("Location") if isinstance(where, dict) else None
            if isinstance(location, str):
                bucket, _, key = location.partition("/")
                text = self.flow.types.get(into, {}).get("t") != "recording"
                self.flow.assign(frame, into, location if text else {"bucket": bucket, "key": key})
        return frame.leave(self, "done")

    def failure(self, frame: Frame) -> str | None:
        """A start that failed leaves nothing to stop.

        If not the start itself failed but something in front of it, nothing of this state has been run (rule 19). The
        caller's leg is recorded first: when that fails, the other leg's start has not been run either.
        """
        event = frame.event
        if self.state["op"] == "start":
            own = event.action == self.TYPES["start"]
            never = {event.leg} if own and event.leg == "B" else {"A", *frame.legs(self.state.get("leg", "A"))}
            running = dict(frame.vars.get("@rec") or {})
            frame.vars["@rec"] = {leg: status for leg, status in running.items() if leg not in never}
        return frame.leave(self, "failed")


class HangupNode(Node):
    """The end of the call, or of leg B."""

    __slots__ = ()

    def work(self, frame: Frame) -> str | None:
        """Hang up; on leg B the flow goes on when the leg is gone."""
        where = self.state.get("leg", "A")
        legs = frame.legs(where)
        code = self.state.get("code", "0")
        if where == "B" and not legs:
            return None if frame.line_dead else frame.leave(self, "done")
        actions: list[Part] = [
            (leg, {"Type": "Hangup", "Parameters": {**frame.leg(leg), "SipResponseCode": code}}, "0")
            for leg in sorted(legs, reverse=True)  # the caller last: nothing can follow the end of the last leg
        ]
        if not frame.add(self, [*self.before(frame), *actions]):
            return None
        first = frame.actions[0]["Type"] == "Hangup"  # what is played before answers the call
        if "A" in legs and code != "0" and first and "r" not in frame.call.flags:
            frame.call.flags += "r"
        return None

    def success(self, frame: Frame) -> str | None:
        """Leg B is gone. A hung-up caller needs nothing more."""
        return frame.leave(self, "done") if self.state.get("leg", "A") == "B" else None
