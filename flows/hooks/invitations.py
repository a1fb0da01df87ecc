"""The guests of a meeting that were invited by telephone, for `meeting-dialer.yaml`.

The stand-in below keeps the attendees in memory, where Amazon Chime SDK Meetings would keep them: `remove_guest` would
call DeleteAttendee, `close_if_empty` ListAttendees and DeleteMeeting. In both cases "it is gone already" is a success,
so that a repetition does no harm.
"""

from __future__ import annotations

from typing import Final

from sma_flows.hooks import Call, hook

# Stand-in for the meetings service: the attendees of each running meeting.
ATTENDEES: Final[dict[str, set[str]]] = {}


@hook
def remove_guest(_call: Call, meeting: str, attendee: str) -> str:
    """Delete *attendee*, whose join token has served its purpose. Effect: repeatable."""
    ATTENDEES.get(meeting, set()).discard(attendee)
    return "done"


@hook
def close_if_empty(_call: Call, meeting: str) -> str:
    """End *meeting* when the last guest has left. Effect: repeatable."""
    if not ATTENDEES.get(meeting):
        ATTENDEES.pop(meeting, None)
    return "done"
