"""What nobody outside the service knows: each question is a switch, its first value the default (contract 9.9).

The second half comes from our own list of doubts: questions on which the runtime leans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

from sma_flows.errors import SmaFlowsError
from sma_flows.flow.diagnostics import nearest

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "bad_answer": ("invalid_event", "hangup"),
    "lambda_failure": ("retry_once", "no_retry"),
    "empty_list": ("keep", "clear"),
    "empty_inbound": ("after_30s", "at_once"),
    "pause_answers": ("yes", "no"),
    "pause_range": ("strict", "any_positive"),
    "digits_error": ("InvalidDigitsReceived", "InputTimeLimitExceeded", "InvalidAudioSource"),
    "listener_once": ("no", "yes"),
    "flush_reports": ("no", "yes"),
    "bridge_ringing": ("no", "yes"),
    "join_error_shape": ("pair", "error_string"),
    "hangup_order": ("hangup_first", "success_first"),
    "meeting_hangup_event": ("no", "yes"),
    "meeting_second_hangup": ("no", "yes"),
    "hangup_during_action": ("documented", "observed"),
    "interrupt_on_digits": ("yes", "no"),
    "sequence_start": ("1", "0"),
    "status_before_answer": ("absent", "Connected"),
    "app_id_key": ("SipMediaApplicationId", "SipApplicationId"),
    "retry_same_sequence": ("yes", "no"),
    "start_recording_event": ("end", "always"),
    "overlap": ("serial", "parallel"),
    "retry_attributes": ("as_first_sent", "current"),
    "late_answer": ("dropped", "applied"),
    "answer_order": ("arrival", "sequence"),
    "final_hangup_attributes": ("kept", "lost"),
    "echo_defaults": ("known", "more"),
    "gone_leg_listed": ("yes", "no"),
    "headers_repeated": ("yes", "no"),
    "same_meeting_token_after_end": ("new_meeting", "error"),
}
"""Every switch with its values, the default first."""

OTHERS: Final = tuple((name, value) for name, values in CHOICES.items() for value in values[1:])
"""Every value beside the defaults, with its switch."""


class SwitchError(SmaFlowsError):
    """A switch or a value that does not exist."""


@dataclass(frozen=True, slots=True)
class Switches:
    """One value for each open question. Make another with :meth:`having`."""

    bad_answer: str = "invalid_event"
    lambda_failure: str = "retry_once"
    empty_list: str = "keep"
    empty_inbound: str = "after_30s"
    pause_answers: str = "yes"
    pause_range: str = "strict"
    digits_error: str = "InvalidDigitsReceived"
    listener_once: str = "no"
    flush_reports: str = "no"
    bridge_ringing: str = "no"
    join_error_shape: str = "pair"
    hangup_order: str = "hangup_first"
    meeting_hangup_event: str = "no"
    meeting_second_hangup: str = "no"
    hangup_during_action: str = "documented"
    interrupt_on_digits: str = "yes"
    sequence_start: str = "1"
    status_before_answer: str = "absent"
    app_id_key: str = "SipMediaApplicationId"
    retry_same_sequence: str = "yes"
    start_recording_event: str = "end"
    overlap: str = "serial"
    retry_attributes: str = "as_first_sent"
    late_answer: str = "dropped"
    answer_order: str = "arrival"
    final_hangup_attributes: str = "kept"
    echo_defaults: str = "known"
    gone_leg_listed: str = "yes"
    headers_repeated: str = "yes"
    same_meeting_token_after_end: str = "new_meeting"  # noqa: S105 (a word, not a secret)

    def having(self, values: Mapping[str, str]) -> Switches:
        """The same switches with some set otherwise, by name.

        Raises:
            SwitchError: there is no such switch, or it has no such value.
        """
        for name, value in values.items():
            if name not in CHOICES:
                raise SwitchError(
                    f"there is no switch '{name}': {_meant(name)}`sma-flows fidelity --switches` lists all"
                )
            if value not in CHOICES[name]:
                raise SwitchError(f"switch '{name}' has no value '{value}': choose one of {', '.join(CHOICES[name])}")
        return replace(self, **values)

    def changed(self) -> dict[str, str]:
        """The switches that are not at their default."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != CHOICES[f.name][0]}


def _meant(name: str) -> str:
    """The switches that somebody may have meant, as a question: the list of all is longer than anybody reads."""
    near = [known for known in CHOICES if len(name) > 2 and name.lower() in known] or [nearest(name, CHOICES)]
    return f"did you mean {', '.join(near)}? " if any(near) else ""
