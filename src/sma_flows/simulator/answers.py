"""What the service does with the function's answer, and without one (rules 1-9)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from msgspec import MsgspecError, Raw, Struct, field
from msgspec.json import Decoder

from sma_flows.protocol import limits
from sma_flows.protocol.check import ANSWER_IGNORED, PARAMETERS
from sma_flows.simulator.desk import LIMIT_MS, RETRY_MS, Desk, sent
from sma_flows.simulator.jsontext import dumps, loads
from sma_flows.simulator.lists import end_all, replace_list
from sma_flows.simulator.messages import Answer, FunctionFails, Over
from sma_flows.simulator.model import MASK, MASKED, MASKS, Delivery, Notice, Sent, quote

TIMED_OUT: Final = "AWS Lambda client operation timed out."
TOO_MANY_PAIRS: Final = "TransactionAttributesInvalidMapSize"
_EMPTY: Final = "Actions list is empty."
_UNREADABLE: Final = "Error while reading actions list."
_new: Final = tuple.__new__
_EMPTY_OBJECT: Final = Raw(b"{}")
_MASKED: Final = tuple([f'"CallId":{quote(mask)}' for mask in MASKS])
_MEMBERS: Final = frozenset({"SchemaVersion", "Actions", "TransactionAttributes"})


def answered(desk: Desk, answer: Answer) -> None:
    """Take an answer when it may be taken: not after the end, not of an attempt that was given up, in order."""
    delivered = desk.delivered
    if len(delivered) == 1 and not desk.held and delivered[0].number == answer.number:
        delivery = delivered[0]
        if answer.attempt == delivery.attempt:  # the usual case: the only event that is being answered
            _forget(desk, delivery)
            _judge(desk, delivery.notice, answer.body)
            return
    found = next((one for one in delivered if one.number == answer.number), None)
    if found is None:
        desk.lean("66 late")
        desk.warn(f"the answer to delivery {answer.number} came too late and is dropped")
        return
    if answer.attempt < found.attempt:
        desk.lean("3 late")
        if desk.switches.late_answer == "dropped":
            desk.warn(f"the answer to attempt {answer.attempt} of delivery {answer.number} is dropped")
            return
    desk.held = (*desk.held, (answer.number, answer.body))
    if len(delivered) > 1:
        desk.lean("3 order")
    by_sequence = desk.switches.answer_order == "sequence"
    while desk.held:
        first = min((one.number for one in desk.delivered), default=0)
        ready = [one for one in desk.held if not by_sequence or one[0] == first]
        if not ready:
            return
        desk.held = tuple(one for one in desk.held if one != ready[0])
        taken = next((one for one in desk.delivered if one.number == ready[0][0]), None)
        if taken is not None:
            _forget(desk, taken)
            _judge(desk, taken.notice, ready[0][1])


def _forget(desk: Desk, delivery: Delivery) -> None:
    delivered = desk.delivered
    desk.delivered = () if len(delivered) == 1 else tuple([one for one in delivered if one is not delivery])
    subject, timers = str(delivery.number), desk.timers
    for place, (_, name, of) in enumerate(timers):
        if of == subject and name in ("retry", "limit"):
            del timers[place]
            return


def failed(desk: Desk, failure: FunctionFails) -> None:
    """Rule 3, an exception: once more after 5 seconds, then the end."""
    delivery = next((one for one in desk.delivered if one.number == failure.number), None)
    if delivery is None or failure.attempt < delivery.attempt:
        return
    desk.error(failure.message or "The AWS Lambda function raised an exception.")
    desk.lean("3")
    if delivery.attempt > 1 or desk.switches.lambda_failure == "no_retry":
        _give_up(desk, delivery)


def retry(desk: Desk, number: int) -> None:
    """Rule 3, 5 seconds without an answer: the same event again, at most once."""
    for delivery in desk.delivered:
        if delivery.number == number and not _exhausted(desk):
            desk.lean("3")
            desk.timer("limit", LIMIT_MS - RETRY_MS, str(number))
            desk.send_again(delivery)
            return


def limit(desk: Desk, number: int) -> None:
    """Rule 3, 20 seconds without an answer: the end."""
    for delivery in desk.delivered:
        if delivery.number == number:
            desk.lean("3 limit")
            desk.lean(f"answer {TIMED_OUT}")
            desk.error(TIMED_OUT)
            _give_up(desk, delivery)
            return


def _give_up(desk: Desk, delivery: Delivery) -> None:
    _forget(desk, delivery)
    if delivery.notice.final or not desk.alive:
        _over(desk, "the function did not answer the last event")
    else:
        end_all(desk, 480)


def _exhausted(desk: Desk) -> bool:
    """Rule 9: the invocation after the last one is not made."""
    if desk.invocations < limits.MAX_INVOCATIONS:
        return False
    desk.lean("9")
    desk.error(f"More than {limits.MAX_INVOCATIONS} invocations in one call.")
    end_all(desk, 480, tell=False)
    _over(desk, "too many invocations")
    return True


def pump(desk: Desk) -> None:
    """Send what may be sent, within the number of invocations that a call has (rule 9)."""
    if not desk.over and (desk.invocations < limits.MAX_INVOCATIONS or not _exhausted(desk)):
        desk.pump()


def _over(desk: Desk, reason: str) -> None:
    desk.over = True
    desk.no_timers()
    desk.queue = desk.delivered = desk.held = ()
    desk.out.append(Over(reason))


def _judge(desk: Desk, notice: Notice, body: str) -> None:
    listed = _listed(desk, body, notice.leg)
    message, attributes = listed.message, listed.attributes
    if message:  # rule 1
        desk.lean(f"answer {message}" if message in KNOWN_FAULTS else "answer Unsupported action")
        desk.lean("1")
        desk.error(message)
        _refuse(desk, notice, "InvalidLambdaResponse", message)
        return
    if attributes is not None and not _store(desk, notice, attributes):
        return
    actions = listed.actions
    if notice.type in ANSWER_IGNORED or not desk.alive:  # rule 4
        if actions:
            desk.lean("4")
            desk.warn(f"actions in the answer to {notice.type} are ignored")
        if notice.final:  # rule 66
            _over(desk, "everybody has left")
        return
    for warning in listed.warnings:
        desk.lean("8")
        desk.warn(warning)
    if actions is None:  # rule 5
        desk.lean("5")
    if notice.type == "NEW_INBOUND_CALL" and not actions:  # rule 11
        desk.lean("11")
        desk.lean(f"answer {_EMPTY}")
        desk.error(_EMPTY)
        if desk.switches.empty_inbound == "at_once":
            end_all(desk, 480)
        return
    if actions:  # rule 6
        replace_list(desk, actions, notice.type)
    elif actions is not None:
        desk.lean("5 empty")
        if desk.switches.empty_list == "clear":
            replace_list(desk, (), notice.type)


def _store(desk: Desk, notice: Notice, attributes: dict[str, Any]) -> bool:
    """Rule 2: the whole map is replaced, unless it is too large; false when the answer is refused."""
    if len(attributes) > limits.MAX_ATTRIBUTES:
        desk.lean("2")
        desk.lean("2 kept")
        count = f"Maximum number of mappings is {limits.MAX_ATTRIBUTES}"
        _refuse(desk, notice, TOO_MANY_PAIRS, f"Transaction Attributes has too many mappings. {count}")
        return False
    if not desk.alive:
        desk.lean("66 attributes")
        if desk.switches.final_hangup_attributes == "lost":
            return True
    text, size = dumps(attributes), limits.MAX_ATTRIBUTES_BYTES
    if len(text) * 4 > size and len(text.encode()) > size:
        desk.lean("2 bytes")
        _refuse(desk, notice, TOO_MANY_PAIRS, f"Transaction Attributes are larger than {size} bytes")
        return False
    desk.attributes = text if attributes else ""
    return True


def _refuse(desk: Desk, notice: Notice, error: str, message: str) -> None:
    """Tell the function that its answer was no good; a second bad answer ends the call (rule 1)."""
    desk.lean(f"error {error}")
    if notice.final or not desk.alive:
        _over(desk, "everybody has left")
    elif notice.type == "INVALID_LAMBDA_RESPONSE" or desk.switches.bad_answer == "hangup":
        end_all(desk, 480)
    else:
        told = Notice("INVALID_LAMBDA_RESPONSE", notice.leg, holds=notice.holds, error=error, message=message)
        desk.queue = (told, *desk.queue)


# --- reading -------------------------------------------------------------------------------------------------------


class _Listed(NamedTuple):
    """What an answer says, or the message of contract 1.4. ``attributes`` and ``actions`` None: none are told."""

    message: str
    attributes: dict[str, Any] | None = None
    actions: tuple[Sent, ...] | None = None
    warnings: tuple[str, ...] = ()


KNOWN_FAULTS: Final = frozenset(
    {
        _UNREADABLE,
        "Response is blank or empty",
        "The schema version in the invocation request does not match the schema version in the response.",
        "Too many actions specified in a response.",
    }
)


class _Action(Struct, forbid_unknown_fields=True, gc=False):
    type: str = field(name="Type")
    parameters: Raw = field(name="Parameters", default=_EMPTY_OBJECT)


class _Usual(Struct, forbid_unknown_fields=True):
    """An answer as nearly every one is. The rest is looked at more closely."""

    version: Literal["1.0"] = field(name="SchemaVersion")
    actions: list[_Action] | None = field(name="Actions", default=None)
    attributes: dict[str, str] | None = field(name="TransactionAttributes", default=None)


_usual: Final = Decoder(_Usual).decode


def _listed(desk: Desk, body: str, leg: str) -> _Listed:
    """What an answer says, without reading what is in its actions: they are known by their text (:func:`_sent`)."""
    try:
        answer = _usual(body)
    except (MsgspecError, UnicodeError, RecursionError):
        return _examined(desk, body, leg)
    actions, attributes = answer.actions, answer.attributes
    if actions is None:
        return _new(_Listed, ("", attributes, None, ()))
    if len(actions) > limits.MAX_ACTIONS:
        return _examined(desk, body, leg)
    found: list[Sent] = []
    warnings: tuple[str, ...] = ()
    for action in actions:
        kind, parameters = action.type, str(action.parameters, "utf-8")
        if parameters[:1] != "{" or kind not in PARAMETERS:
            return _examined(desk, body, leg)
        try:
            one, warning = _sent(desk, kind, leg, parameters)
        except ValueError:  # a number that nobody reads, or nested too deeply
            return _examined(desk, body, leg)
        found.append(one)
        if warning:
            warnings = (*warnings, warning)
    return _new(_Listed, ("", attributes, tuple(found), warnings))


def _examined(desk: Desk, body: str, leg: str) -> _Listed:
    """As :func:`_listed`, for any answer: what it says, or what is wrong with it."""
    try:
        response = loads(body) if body else None
    except ValueError:
        return _Listed(_UNREADABLE)
    if response is None or response == "" or response == {}:
        return _Listed("Response is blank or empty")
    if not isinstance(response, dict):
        return _Listed(_UNREADABLE)
    if response.get("SchemaVersion") != "1.0":
        return _Listed(
            "The schema version in the invocation request does not match the schema version in the response."
        )
    actions, attributes = response.get("Actions"), response.get("TransactionAttributes")
    if not (isinstance(actions, list | None) and isinstance(attributes, dict | None)):
        return _Listed(_UNREADABLE)
    if len(actions or ()) > limits.MAX_ACTIONS:
        return _Listed("Too many actions specified in a response.")
    found, warnings = [], []
    for action in actions or ():
        if not isinstance(action, dict) or not isinstance(action.get("Parameters"), dict | None):
            return _Listed(_UNREADABLE)
        kind = action.get("Type")
        if not isinstance(kind, str) or kind not in PARAMETERS:
            return _Listed(f"Unsupported action {kind} specified")
        one, warning = _sent(desk, kind, leg, dumps(action.get("Parameters") or {}))
        found.append(one)
        if warning:
            warnings.append(warning)
    unknown = sorted(response.keys() - _MEMBERS)
    if unknown:
        warnings.append(f"the answer: the service ignores {', '.join(unknown)}")
    return _Listed("", attributes, None if actions is None else tuple(found), tuple(warnings))


def _sent(desk: Desk, kind: str, leg: str, text: str) -> tuple[Sent, str]:
    """An action with these parameters (JSON text of an object), and a warning.

    Calls that are answered alike share it: they differ in the CallIds of their legs, for which a mask stands in it.
    """
    if MASK in text or "\\u007" in text:  # something looks like a mask before there is one
        return _alone(kind, leg, text)
    for masked, one in zip(_MASKED, desk.legs):  # noqa: B905 - one call less; there are two legs at most
        alike = text.replace(one[9][2], masked)
        if alike is text:
            if one[1] not in text:
                continue
            text = dumps(loads(text))  # with blanks in it: written as we write it, it can be shared
            alike = text.replace(one[9][2], masked)
        shared = _shared(kind, leg, alike, masked)
        if shared is None:
            break
        return _new(Sent, (*shared[0][:5], one[1])), shared[1]
    return _alone(kind, leg, text)


@lru_cache(maxsize=2048)
def _alone(kind: str, leg: str, text: str) -> tuple[Sent, str]:
    """An action that is read as it is."""
    return sent(kind, leg, loads(text))


@lru_cache(maxsize=2048)
def _shared(kind: str, leg: str, text: str, masked: str) -> tuple[Sent, str] | None:
    """An action with a mask; None when the id that it stands for is no CallId of the action, or stands twice."""
    given = loads(text)
    if f'"CallId":{quote(str(given.get("CallId")))}' != masked or text.count(MASKED) > 1:
        return None
    return sent(kind, leg, given, masked=True)
