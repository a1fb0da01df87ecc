"""What the service does with the function's answer, and without one (rules 1-9)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from sma_flows.protocol import limits
from sma_flows.protocol.check import ANSWER_IGNORED, PARAMETERS
from sma_flows.simulator.desk import Desk, dumps
from sma_flows.simulator.lists import end_all, replace_list
from sma_flows.simulator.messages import Answer, FunctionFails, Over
from sma_flows.simulator.model import Delivery, Notice, Sent

TIMED_OUT: Final = "AWS Lambda client operation timed out."
TOO_MANY_PAIRS: Final = "TransactionAttributesInvalidMapSize"
_EMPTY: Final = "Actions list is empty."


def answered(desk: Desk, answer: Answer) -> None:
    """Take an answer when it may be taken: not after the end, not of an attempt that was given up, in order."""
    delivery = next((one for one in desk.delivered if one.number == answer.number), None)
    if delivery is None:
        desk.warn(f"the answer to delivery {answer.number} came too late and is dropped")
        return
    if answer.attempt < delivery.attempt and desk.switches.late_answer == "dropped":
        desk.warn(f"the answer to attempt {answer.attempt} of delivery {answer.number} is dropped")
        return
    desk.held = (*desk.held, (answer.number, answer.body))
    by_sequence = desk.switches.answer_order == "sequence"
    while desk.held:
        first = min((one.number for one in desk.delivered), default=0)
        ready = [one for one in desk.held if not by_sequence or one[0] == first]
        if not ready:
            return
        desk.held = tuple(one for one in desk.held if one != ready[0])
        taken = _take(desk, ready[0][0])
        if taken is not None:
            _judge(desk, taken.notice, ready[0][1])


def _take(desk: Desk, number: int) -> Delivery | None:
    found = next((one for one in desk.delivered if one.number == number), None)
    desk.delivered = tuple(one for one in desk.delivered if one.number != number)
    desk.cancel("retry", str(number))
    desk.cancel("limit", str(number))
    return found


def failed(desk: Desk, failure: FunctionFails) -> None:
    """Rule 3, an exception: once more after 5 seconds, then the end."""
    delivery = next((one for one in desk.delivered if one.number == failure.number), None)
    if delivery is None or failure.attempt < delivery.attempt:
        return
    desk.error(failure.message or "The AWS Lambda function raised an exception.")
    if delivery.attempt > 1 or desk.switches.lambda_failure == "no_retry":
        _give_up(desk, delivery)


def retry(desk: Desk, number: int) -> None:
    """Rule 3, 5 seconds without an answer: the same event again, at most once."""
    for delivery in desk.delivered:
        if delivery.number == number and not _exhausted(desk):
            desk.send_again(delivery)


def limit(desk: Desk, number: int) -> None:
    """Rule 3, 20 seconds without an answer: the end."""
    for delivery in desk.delivered:
        if delivery.number == number:
            desk.error(TIMED_OUT)
            _give_up(desk, delivery)
            return


def _give_up(desk: Desk, delivery: Delivery) -> None:
    _take(desk, delivery.number)
    if delivery.notice.final or not desk.alive:
        _over(desk, "the function did not answer the last event")
    else:
        end_all(desk, 480)


def _exhausted(desk: Desk) -> bool:
    """Rule 9: the invocation after the last one is not made."""
    if desk.invocations < limits.MAX_INVOCATIONS:
        return False
    desk.error(f"More than {limits.MAX_INVOCATIONS} invocations in one call.")
    end_all(desk, 480, tell=False)
    _over(desk, "too many invocations")
    return True


def pump(desk: Desk) -> None:
    """Send what may be sent, within the number of invocations that a call has (rule 9)."""
    if desk.queue and not desk.over and not _exhausted(desk):
        desk.pump()


def _over(desk: Desk, reason: str) -> None:
    desk.over = True
    desk.timers, desk.queue, desk.delivered, desk.held = (), (), (), ()
    desk.out.append(Over(reason))


def _judge(desk: Desk, notice: Notice, body: str) -> None:
    response, message = read(body)
    if message:  # rule 1
        desk.error(message)
        _refuse(desk, notice, "InvalidLambdaResponse", message)
        return
    attributes = response.get("TransactionAttributes")
    if attributes is not None:
        size = len(dumps(attributes).encode())
        if len(attributes) > limits.MAX_ATTRIBUTES or size > limits.MAX_ATTRIBUTES_BYTES:  # rule 2
            text = (
                f"Transaction Attributes has too many mappings. Maximum number of mappings is {limits.MAX_ATTRIBUTES}"
            )
            _refuse(desk, notice, TOO_MANY_PAIRS, text)
            return
        desk.attributes = dumps(attributes) if attributes else ""
    actions = response.get("Actions")
    if notice.type in ANSWER_IGNORED or not desk.alive:  # rule 4
        if actions:
            desk.warn(f"actions in the answer to {notice.type} are ignored")
        if notice.final:  # rule 66
            _over(desk, "everybody has left")
        return
    if notice.type == "NEW_INBOUND_CALL" and not actions:  # rule 11
        desk.error(_EMPTY)
        if desk.switches.empty_inbound == "at_once":
            end_all(desk, 480)
        else:
            desk.timer("unanswered", limits.UNANSWERED_INBOUND_S * 1000)
        return
    if actions is None:  # rule 5
        return
    if actions or desk.switches.empty_list == "clear":
        replace_list(desk, tuple(_sent(desk, one, notice.leg) for one in actions), notice.type)


def _sent(desk: Desk, action: dict[str, Any], leg: str) -> Sent:
    params = action.get("Parameters") or {}
    unknown = sorted(set(params) - set(PARAMETERS[action["Type"]]))
    if unknown:  # rule 8
        desk.warn(f"{action['Type']}: the service ignores {', '.join(unknown)}")
    return Sent(action["Type"], dumps(params), leg)


def _refuse(desk: Desk, notice: Notice, error: str, message: str) -> None:
    """Tell the function that its answer was no good; a second bad answer ends the call (rule 1)."""
    if notice.final or not desk.alive:
        _over(desk, "everybody has left")
    elif notice.type == "INVALID_LAMBDA_RESPONSE" or desk.switches.bad_answer == "hangup":
        end_all(desk, 480)
    else:
        told = Notice("INVALID_LAMBDA_RESPONSE", notice.leg, holds=notice.holds, error=error, message=message)
        desk.queue = (replace(told, data=""), *desk.queue)


def read(body: str) -> tuple[dict[str, Any], str]:
    """The answer, or the message of contract 1.4 that says what is wrong with it."""
    try:
        response = json.loads(body) if body else None
    except ValueError:
        return {}, "Error while reading actions list."
    if response is None or response == "" or response == {}:
        return {}, "Response is blank or empty"
    if not isinstance(response, dict) or response.get("SchemaVersion") != "1.0":
        return {}, (
            "The schema version in the invocation request does not match the schema version in the response."
            if isinstance(response, dict)
            else "Error while reading actions list."
        )
    actions, attributes = response.get("Actions"), response.get("TransactionAttributes")
    if not isinstance(actions, list | None) or not isinstance(attributes, dict | None):
        return {}, "Error while reading actions list."
    if len(actions or ()) > limits.MAX_ACTIONS:
        return {}, "Too many actions specified in a response."
    for action in actions or ():
        if not isinstance(action, dict) or not isinstance(action.get("Parameters", {}), dict | None):
            return {}, "Error while reading actions list."
        if action.get("Type") not in PARAMETERS:
            return {}, f"Unsupported action {action.get('Type')} specified"
    return response, ""
