"""What is different on the network from what the scripts say, by name and with the reason.

``test_network.py`` keeps the tables as short as they can be: a script that is listed without need fails, like one that
is missing. No script is left out altogether.
"""

from __future__ import annotations

from collections.abc import Mapping

Switch = tuple[str, str]

PRESUPPOSED: Mapping[str, Switch] = {
    "A03-caller-leaves-while-recording": ("hangup_during_action", "observed"),
    "A05-caller-leaves-while-it-rings": ("bridge_ringing", "yes"),
    "A07-caller-leaves": ("meeting_second_hangup", "yes"),
    "A07-mute-fails": ("meeting_second_hangup", "yes"),
    "A08a": ("meeting_second_hangup", "yes"),
    "A13a": ("meeting_second_hangup", "yes"),
    "A17-caller-leaves": ("hangup_during_action", "observed"),
    "A19a": ("hangup_during_action", "observed"),
    "A20a": ("meeting_second_hangup", "yes"),
    "A20-hangs-up-observed": ("hangup_during_action", "observed"),
    "A21-leaves-while-speaking": ("hangup_during_action", "observed"),
    "A23a": ("meeting_second_hangup", "yes"),
    "A23-not-counted": ("meeting_second_hangup", "yes"),
    "A24-leaves-while-speaking": ("hangup_during_action", "observed"),
    "A26-two-hangups": ("meeting_second_hangup", "yes"),
    "A28-second-agent": ("meeting_second_hangup", "yes"),
    "A32a": ("meeting_second_hangup", "yes"),
    "A32-full": ("meeting_second_hangup", "yes"),
    "hangups-bridge-observed": ("hangup_during_action", "observed"),
    "hangups-bot-observed": ("hangup_during_action", "observed"),
    "hangups-bridged-caller-success": ("hangup_order", "success_first"),
    "hangups-gather-observed": ("hangup_during_action", "observed"),
    "hangups-meeting-caller": ("meeting_second_hangup", "yes"),
    "hangups-menu-observed": ("hangup_during_action", "observed"),
    "hangups-record-observed": ("hangup_during_action", "observed"),
    "meetings-join-fails": ("meeting_second_hangup", "yes"),
    "meetings-mute": ("meeting_second_hangup", "yes"),
    "movers-keys-used-up": ("flush_reports", "yes"),
    "movers-ringing-of-b": ("bridge_ringing", "yes"),
    "movers-success-first": ("hangup_order", "success_first"),
    "movers-unmatched-key": ("flush_reports", "yes"),
    "overlap-unwanted-bridge-success-first": ("hangup_order", "success_first"),
    "parts-message-and-gone": ("hangup_during_action", "observed"),
}
"""Scripts with an event that the service only sends with a switch at another value than its default. With the default
the event does not come; the rest of the call is as the script says."""

ONLY_SO: Mapping[str, str] = {
    "A24-leaves-while-speaking": "a message that is not reported when its speaker leaves cannot be stored",
    "hangups-record-observed": "the same",
    "movers-unmatched-key": "keys that mean nothing are not reported, so the listener is not renewed",
    "parts-message-and-gone": "a message that is not reported cannot be kept",
}
"""Those of them that have another course without it."""

BY_HAND: Mapping[str, str] = {
    "A05a": "VoiceFocus is reported in the middle of a list (tolerance D1); the service reports it at the end",
    "A06a": "VoiceFocus is reported in the middle of a list (tolerance D1)",
    "A08-unmute-and-ill-typed": "an update between our last Hangup and its HANGUP, between which no time passes",
    "A26-two-hangups": "reports after the end of the call; the service sends nothing any more (rule 66)",
    "endings-hook-fails": "a second HANGUP after the end (rule 66)",
    "endings-started-before": "the beginning of the call is reported again in its middle",
    "endings-two-legs": "a second HANGUP after the end (rule 66)",
    "hangups-announcement-fails-first": "an announcement that fails because its leg has left, before its HANGUP",
    "hangups-bridged-callee": "a failure for a leg that has left, after a newer list",
    "hangups-bridged-caller-success": "success of the Hangup of the last leg, which is not reported (rule 59)",
    "hangups-nobody-there": "a caller who has left before his call is told",
    "hangups-recording-after-hangup": "a report after the end (rule 66)",
    "hangups-unanswered-question": "a report after the end (rule 66)",
    "movers-failure-of-nothing": "reports of actions that ended long ago",
    "movers-key-and-update-at-once": "success of a file that has been interrupted",
    "movers-key-in-key": "success of a file that has been interrupted",
    "movers-late-failure": "failure of a file that has been interrupted",
    "movers-late-report": "success of a file that has been interrupted, and one that is reported twice",
    "movers-ringing-of-b": "RINGING of a leg that has answered",
    "movers-update-when-caller-left": "an update and a HANGUP after the end (rule 66)",
    "overlap-hangup-before-report": "a second HANGUP of leg B",
    "overlap-lost-failure": "attributes are lost",
    "overlap-lost-key": "attributes are lost",
    "overlap-lost-success": "attributes are lost",
    "overlap-lost-while-bridged": "attributes are lost",
    "overlap-other-revision": "attributes of a revision that is gone",
    "overlap-other-revision-hangup": "attributes of a revision that is gone",
    "overlap-strange": "attributes of another program",
}
"""Scripts with events that the service would not send, which are put in as stray ones."""

LEFT_ALREADY = "HANGUP of the caller shows the meeting's leg as gone too (rule 64), so it is not hung up (R2)"
VOID: Mapping[str, str] = {
    "A07a": "when muting fails, what stands behind it in the list does not come (rule 19)",
    **dict.fromkeys(
        [
            "A07-caller-leaves", "A07-mute-fails", "A08a", "A13a", "A20a", "A23a", "A23-not-counted", "A26-two-hangups",
            "A28-second-agent", "A32a", "A32-full", "hangups-meeting-caller", "meetings-join-fails", "meetings-mute",
        ],
        LEFT_ALREADY,
    ),
}  # fmt: skip
"""Scripts of whose expected actions a part cannot be: its leg has left, or an action before it has failed."""

OTHER_COURSE: Mapping[tuple[str, Switch], str] = {
    ("A05-the-answer-was-refused", ("bad_answer", "hangup")): "the service hangs up and tells nobody why",
    ("overlap-invalid-response", ("bad_answer", "hangup")): "the same",
    ("hangups-record-documented", ("hangup_during_action", "observed")): "the recording is reported, so it is stored",
}
"""Scripts that have another course when one switch is set so."""

CLEANED_AGAIN: Switch = ("final_hangup_attributes", "lost")
"""When the answer to the last HANGUP is not kept, a second one is cleaned up again, with the same tokens: how often
hooks are asked is not judged then. The actions are the same."""

SECOND_ATTEMPT: Mapping[str, str] = {
    "A18-before-noon": "between the two attempts it becomes twelve o'clock, and the second greets for the afternoon",
    "hours-before-spring": "the clocks go forward",
    "hours-before-the-second-three": "it becomes three o'clock",
    "hours-last-second-of-saturday": "Sunday begins",
    "hours-winter-morning": "it becomes nine o'clock",
}
"""Scripts in which an event that is delivered a second time may be answered otherwise."""
