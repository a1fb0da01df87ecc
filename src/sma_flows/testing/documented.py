"""Which errors each action can end with, as the service documents them (contract sections 4.1 to 4.17 and 4.21)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sma_flows.simulator.messages import Break

__all__ = ["ERRORS"]

_PARAMETER: Final = ("InvalidActionParameter", "CallId or ParticipantTag parameter for action is invalid")
_SYSTEM: Final = ("SystemException", "System error while running action")
_AUDIO: Final = ("InvalidAudioSource", "Cannot access S3 bucket or audio file.")
_DENIED: Final = ("AccessDenied", "Access to the service-linked role was denied.")
_THROTTLED: Final = ("ActionExecutionThrottled", "The quota of this action is used up.")
_TEXT: Final = ("MissingRequiredActionParameter", "Text is a required parameter.")
_DIGITS: Final = ("InvalidDigitsReceived", "No valid digits were received.")

_OWN: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "CallAndBridge": (("CallNotAnswered", "Call not answered"), _AUDIO),
    "Hangup": (),
    "JoinChimeMeeting": (("ErrorJoiningMeeting", "Error while joining meeting.", "error"),),
    "ModifyChimeMeetingAttendees": (),
    "Pause": (),
    "PauseCallRecording": (),
    "PlayAudio": (_AUDIO,),
    "PlayAudioAndGetDigits": (_DIGITS, _AUDIO),
    "ReceiveDigits": (),
    "RecordAudio": (),
    "ResumeCallRecording": (),
    "SendDigits": (),
    "Speak": (_DENIED, _THROTTLED, _TEXT),
    "SpeakAndGetDigits": (_DIGITS, _DENIED, _THROTTLED, _TEXT),
    "StartBotConversation": (
        ("ResourceNotFound", "The bot or its alias was not found."),
        ("ResourceAccessDenied", "Access to the bot was denied."),
        _THROTTLED,
    ),
    "StartCallRecording": (("NoAccessToDestination", "Error while accessing destination", "error"),),
    "StopCallRecording": (),
    "VoiceFocus": (_THROTTLED, ("MissingRequiredActionParameter", "Enable is a required parameter.")),
}

ERRORS: Final[Mapping[str, tuple[Break, ...]]] = {
    action: tuple(Break((action,), *error) for error in (_SYSTEM, _PARAMETER, *own))  # type: ignore[arg-type]
    for action, own in _OWN.items()
}
"""For each action type the breaks that let the next one fail; SystemException, which any action can meet, first."""
