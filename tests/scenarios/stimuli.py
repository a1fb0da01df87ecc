"""What somebody does so that the service sends the event of a step: the translation of scripts for the network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sma_flows.protocol.check import ALWAYS_REPORTING
from sma_flows.simulator import lists
from sma_flows.simulator.desk import Desk, Done, sent
from sma_flows.simulator.jsontext import dumps
from sma_flows.simulator.messages import BotResult, Callee, Elapse, Gone, MeetingEnds, OutboundCall, Refused
from sma_flows.simulator.model import Sent

from .expect import QUESTIONS
from .harness import ScenarioError
from .matching import has_a_cause
from .script import CALLER, OWN_NUMBER, Step

if TYPE_CHECKING:
    from .network import NetworkPlayer
    from .whole import Line

TELLS_OF_LEAVING = (*QUESTIONS, "RecordAudio", "StartBotConversation", "CallAndBridge")
"""Actions that report when the party leaves during them (rule 62, ``observed``)."""

Lacks = tuple[str, str] | None
"""A switch and the value with which the event would come."""


class Stimuli:
    """Lets the people of a call act."""

    def __init__(self, player: NetworkPlayer) -> None:
        self.player = player

    def cause(self, line: Line, index: int, step: Step) -> Lacks:
        """Let the event of *step* come, now or soon; or say which switch would have to be set otherwise.

        Raises:
            ScenarioError: it cannot come.
        """
        following = line.after(2)
        if following is not None and following.event == "ACTION_INTERRUPTED" and not line.phone.held:
            self.running(line, following.action)
        if step.status and step.event.startswith("ACTION_"):
            found = self._leaves_during(line, index, step)
        else:
            act: Callable[[Line, int, Step], Lacks] = getattr(self, f"_{step.event.lower()}", self._by_hand)
            found = act(line, index, step)
        self.player.check()
        return found

    # -- calls begin -------------------------------------------------------------------------------------------------

    def _new_inbound_call(self, line: Line, index: int, step: Step) -> Lacks:
        if line.network.legs:
            return self._by_hand(line, index, step)
        from_, to, headers = self._numbers(line, CALLER, OWN_NUMBER)
        line.phone.dial_in(from_, to, headers)
        return None

    def _new_outbound_call(self, line: Line, index: int, step: Step) -> Lacks:
        if line.network.legs:
            return self._by_hand(line, index, step)
        from_, to, headers = self._numbers(line, OWN_NUMBER, CALLER)
        line.phone.dial_out(OutboundCall(to, from_, tuple(step.arguments.items()), tuple(headers.items())))
        return None

    def _numbers(self, line: Line, from_: str, to: str) -> tuple[str, str, dict[str, str]]:
        """Numbers and headers: those of the script belong to its first call."""
        script = self.player.script
        if line.number > 1:
            return from_, to, {}
        return script.from_ or from_, script.to or to, dict(script.headers)

    def _ringing(self, line: Line, index: int, step: Step) -> Lacks:
        network = line.network
        first = network.leg("LEG-A")
        if first is not None and first.status == "ringing":
            line.phone.callee(Callee("rings"))
            return None
        if network.running is None or network.running.phase != "ring":
            return self._by_hand(line, index, step)
        line.phone.callee(Callee("rings"))
        return None if network.switches.bridge_ringing == "yes" else ("bridge_ringing", "yes")

    def _call_answered(self, line: Line, index: int, step: Step) -> Lacks:
        first = line.network.leg("LEG-A")
        if first is None or first.status != "ringing":
            return self._by_hand(line, index, step)
        line.phone.callee(Callee("answers"))
        return None

    # -- legs leave --------------------------------------------------------------------------------------------------

    def _hangup(self, line: Line, index: int, step: Step) -> Lacks:
        tag = f"LEG-{step.leg or 'A'}"
        network, phone = line.network, line.phone
        leg = network.leg(tag)
        if any(one.type == "HANGUP" and one.leg == tag for one in network.queue):
            return None
        if leg is None or leg.gone:
            return self._gone_already(line, index, step, tag)
        ours = any(
            self._target(line, one) == tag for one in (*network.rest, *network.next_list) if one.type == "Hangup"
        )
        if ours and not (step.by or self.player.early):
            return None
        if leg.status == "ringing":
            does = {480: "no_answer", 486: "busy"}.get(step.code, "rejects")
            phone.callee(Callee(does, step.code))  # type: ignore[arg-type]
        elif tag == "LEG-B" and network.joined.startswith("meeting"):
            phone.send(MeetingEnds())
        else:
            phone.hang_up(tag, step.code)
        return None

    def _gone_already(self, line: Line, index: int, step: Step, tag: str) -> Lacks:
        by = [one.by for one in line.phone.outputs if isinstance(one, Gone) and one.leg == tag][-1:]
        switches = line.network.switches
        if by == ["service"] and switches.meeting_second_hangup == "no":
            return "meeting_second_hangup", "yes"
        return self._by_hand(line, index, step)

    def _leaves_during(self, line: Line, index: int, step: Step) -> Lacks:
        """Rule 62, ``observed``: the action's own report, with the leg gone."""
        there = self.running(line, step.action, f"LEG-{step.leg or 'A'}")
        if step.action not in TELLS_OF_LEAVING:
            return self._by_hand(line, index, step)
        if line.network.switches.hangup_during_action == "documented":
            return "hangup_during_action", "observed"
        if not there:
            return self._by_hand(line, index, step)
        line.phone.hang_up(f"LEG-{step.leg or 'A'}")
        return None

    # -- actions end -------------------------------------------------------------------------------------------------

    def _action_successful(self, line: Line, index: int, step: Step) -> Lacks:
        kind = step.action
        if kind not in (*QUESTIONS, "StartBotConversation", "CallAndBridge", "RecordAudio"):
            return None if self._coming(line, step) else self._by_hand(line, index, step)
        if not self._meant_runs(line, step):
            return self._by_hand(line, index, step)
        if kind in QUESTIONS:
            self._type(line, step)
        elif kind == "StartBotConversation":
            state = step.state or ("Failed" if step.intent == "FallbackIntent" else "ReadyForFulfillment")
            slots = tuple((name, None if value == "none" else value) for name, value in step.slots.items())
            line.phone.send(BotResult(step.intent, state, slots, tuple(step.attributes.items())))
        elif kind == "CallAndBridge":
            line.phone.callee(Callee("answers"))
        elif step.terminator:
            line.phone.press(step.terminator)
        return None

    def _action_failed(self, line: Line, index: int, step: Step) -> Lacks:
        if has_a_cause(step):
            if not self._meant_runs(line, step):
                return self._by_hand(line, index, step)
            if step.action == "StartBotConversation":
                line.phone.send(BotResult(error=step.error or "SystemException", message=step.message))
            elif step.action == "CallAndBridge":
                line.phone.callee(Callee("no_answer"))
            return None  # the caller says nothing
        if step.sent:
            return self._by_hand(line, index, step)

        def clear() -> bool:
            return line.index >= index or self._coming(line, step) or not (line.owes or line.network.delivered)

        if self.player.until(line, clear):
            running = line.network.running
            if running is not None and self._meant(line, running.action, step):
                line.phone.network = replace(line.network, breaks=())
                line.phone.send(self.player.breaking(line, step, running=True))
            elif line.index < index and not self._coming(line, step):
                return self._by_hand(line, index, step)
        return None

    def _action_interrupted(self, line: Line, index: int, step: Step) -> Lacks:
        if any(one.type == step.event for one in line.network.queue):
            return None
        if line.network.switches.interrupt_on_digits == "no":
            return "interrupt_on_digits", "yes"
        return self._by_hand(line, index, step)

    # -- keys and updates --------------------------------------------------------------------------------------------

    def _digits_received(self, line: Line, index: int, step: Step) -> Lacks:
        tag, name = f"LEG-{step.leg or 'A'}", f"{self.player.script.name} step {index}"
        if step.shape == "flushed" and line.network.switches.flush_reports == "no":
            return "flush_reports", "yes"

        def listens() -> bool:
            running = line.network.running
            busy = running is not None and running.action.type in (*QUESTIONS, "StartBotConversation", "SendDigits")
            busy = busy or (bool(line.network.delivered) and not line.phone.held)
            return not busy and any(one.leg == tag for one in line.network.listeners)

        if not self.player.until(line, listens):
            raise ScenarioError(f"{name}: nobody listens for keys on {tag}: {step.digits} would be lost")
        listener = next(one for one in line.network.listeners if one.leg == tag)
        pattern = listener.action.data["InputDigitsRegex"]
        if step.shape != "flushed" and not re.search(pattern, step.digits or ""):
            raise ScenarioError(f"{name}: the listener on {tag} waits for {pattern}: {step.digits} would be lost")
        line.phone.press(step.digits or "", tag)
        if step.shape != "flushed" and not self._heard(line, index, tag):
            line.phone.press(step.digits or "", tag)  # a listener that is registered again forgets what was typed
        return None

    def _heard(self, line: Line, index: int, tag: str) -> bool:
        """Wait until the keys have come to something; False if they have been forgotten."""

        def waits() -> bool:
            return any(one.leg == tag and one.buffer for one in line.network.listeners)

        self.player.until(line, lambda: line.index >= index or not waits())
        return line.index >= index or any(one.type == "DIGITS_RECEIVED" for one in line.network.queue)

    def _call_update_requested(self, line: Line, index: int, step: Step) -> Lacks:
        if line.phone.over:
            return self._by_hand(line, index, step)
        seen = len(line.phone.outputs)
        line.phone.update(step.arguments)
        if Refused("ThrottledClientException") in line.phone.outputs[seen:]:
            line.phone.wait(1000)
            line.phone.update(step.arguments)
        return None

    def _invalid_lambda_response(self, line: Line, index: int, step: Step) -> Lacks:
        """The answer before has been spoilt on its way; the function is not told when the service hangs up instead."""
        return ("bad_answer", "invalid_event") if line.network.switches.bad_answer == "hangup" else None

    def _by_hand(self, line: Line, index: int, step: Step) -> Lacks:
        kind = f"{step.event} {step.action}".strip()
        if kind == "ACTION_SUCCESSFUL StartCallRecording" and line.network.switches.start_recording_event == "end":
            return "start_recording_event", "always"
        self.player.put_in(line, index, step, kind)
        return None

    # -- looking -----------------------------------------------------------------------------------------------------

    def running(self, line: Line, kind: str, leg: str = "") -> bool:
        """Wait until an action of this type runs, if one will; False if none comes."""

        def is_there() -> bool:
            running = line.network.running
            return running is not None and running.action.type == kind and (not leg or running.leg == leg)

        def ahead() -> bool:
            network = line.network
            lists = (*network.rest, *network.next_list)
            return bool(network.queue or network.delivered) or any(one.type == kind for one in lists)

        return self.player.until(line, lambda: is_there() or not ahead()) and is_there()

    def _meant_runs(self, line: Line, step: Step) -> bool:
        """Wait until the action runs that the step is about: the newest of its type, or that of list ``sent``."""
        if not self.running(line, step.action):
            return False
        running = line.network.running
        return not step.sent or (running is not None and running.action == self._sent(line, step))

    def _type(self, line: Line, step: Step) -> None:
        """Keys into a question, until it has what it wants."""
        asked = line.network.running
        if asked is not None and self.player.lenient and not _admits(asked.action.data, step.digits or ""):
            desk = Desk(line.network, set().add)
            lists.settle(desk, Done(f',"ReceivedDigits":{dumps(step.digits)}'))
            line.phone.network = desk.network()
            line.phone.send(Elapse(0))
            return
        for place, key in enumerate(step.digits or ""):
            if place:
                line.phone.wait(200)
            running = line.network.running
            if running is None or asked is None or running.action != asked.action:
                return
            line.phone.press(key, running.leg)
            self.player.check()

    def _coming(self, line: Line, step: Step) -> bool:
        """Will the service report such an action by itself?"""
        network = line.network
        for notice in network.queue:
            if notice.type == step.event and notice.data and json.loads(notice.data)["Type"] == step.action:
                return True
        running = network.running
        current = [*([running.action] if running is not None else []), *network.rest]
        if running is not None and running.dropped:
            current = []
        return any(
            self._meant(line, one, step)
            and (place + 1 == len(actions) or one.type in ALWAYS_REPORTING or step.event == "ACTION_FAILED")
            for actions in (current, [*network.next_list])
            for place, one in enumerate(actions)
        )

    def _meant(self, line: Line, action: Sent, step: Step) -> bool:
        if action.type != step.action or (step.leg and self._target(line, action) != f"LEG-{step.leg}"):
            return False
        return all(value in action.text for value in step.match.values())

    @staticmethod
    def _target(line: Line, action: Sent) -> str:
        params = action.data
        for leg in line.network.legs:
            if leg.call_id == (action.call_id or params.get("CallId")):
                return leg.tag
        return str(params.get("ParticipantTag") or action.leg)

    # -- events by hand ----------------------------------------------------------------------------------------------

    def data(self, line: Line, step: Step) -> dict[str, Any] | None:
        """ActionData of an event that the network would not send."""
        network = line.network
        leg = network.leg(f"LEG-{step.leg or 'A'}") or network.legs[0]
        if step.event == "HANGUP":
            params = {"SipResponseCode": step.code, "CallId": leg.call_id, "ParticipantTag": leg.tag}
            return {"Type": "Hangup", "Parameters": params}
        if step.event in ("NEW_OUTBOUND_CALL", "CALL_UPDATE_REQUESTED"):
            kind = "CallCreateRequest" if step.event == "NEW_OUTBOUND_CALL" else "CallUpdateRequest"
            return {"Type": kind, "Parameters": {"Arguments": dict(step.arguments)}}
        if not step.event.startswith("ACTION_"):
            return None
        action = self._sent(line, step)
        data: dict[str, Any] = json.loads(
            Desk(network, set().add).echo(action, network.leg(self._target(line, action)) or leg)
        )
        if step.event == "ACTION_SUCCESSFUL":
            return data | self._results(step, action)
        if step.event == "ACTION_FAILED":
            data |= {"ErrorType": step.error or "SystemException", "ErrorMessage": step.message or "System error"}
        return data

    @staticmethod
    def _results(step: Step, action: Sent) -> dict[str, Any]:
        if step.action in (*QUESTIONS, "ReceiveDigits"):
            return {"ReceivedDigits": step.digits or ""}
        if step.action == "RecordAudio":
            bucket = step.bucket or action.data["RecordingDestination"]["BucketName"]
            return {"RecordingDestination": {"Type": "S3", "BucketName": bucket, "Key": step.key or "recording.wav"}}
        return {}

    def _sent(self, line: Line, step: Step) -> Sent:
        """The action that a report is about: of the newest list that has one."""
        lists = line.lists[step.sent - 1 : step.sent] if step.sent else line.lists
        for actions in reversed(lists):
            fits = [one for one in actions if self._meant(line, one, step)]
            if fits:
                return fits[-1]
        if step.action == "Hangup":
            leg = line.network.leg(f"LEG-{step.leg or 'A'}") or line.network.legs[0]
            return sent("Hangup", leg.tag, {"CallId": leg.call_id})[0]
        raise ScenarioError(f"{self.player.script.name}: {step.event} of {step.action}, but no list had such an action")


def _admits(question: Mapping[str, Any], digits: str) -> bool:
    """Would the service take these keys for an answer (rule 30)?"""
    entered = digits.rstrip("".join(question.get("TerminatorDigits") or ["#"]))
    fewest, most = question.get("MinNumberOfDigits", 0), question.get("MaxNumberOfDigits", 128)
    return fewest <= len(entered) <= most and bool(re.search(question.get("InputDigitsRegex", ""), entered))
