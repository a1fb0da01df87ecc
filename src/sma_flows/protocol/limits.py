"""Every number of the service in one place, each with where it comes from.

"Guide" is the Amazon Chime SDK Developer Guide (PSTN Audio part, text of 2026 unless a year is given), by page name;
"quotas" is the endpoints-and-quotas page of the AWS General Reference; "model" is the botocore service model. Where
two pages disagree, ``docs/errata.md`` says so and the narrower number stands here.
"""

from __future__ import annotations

from typing import Final

# --- answers and invocations -------------------------------------------------------------------------------------

MAX_ACTIONS: Final = 10
"""Most actions in one answer. Guide, invoke-on-call-leg."""

MAX_INVOCATIONS: Final = 1000
"""Most invocations of the function in one call. Guide, invoke-on-call-leg; what follows is not documented."""

INVOCATION_RETRY_S: Final = 5
"""Seconds after which the service sends an unanswered event again. Guide, timeouts."""

INVOCATION_TIMEOUT_S: Final = 20
"""Seconds after which the service hangs up. Guide, timeouts and invoke-on-call-leg."""

INVOCATION_BUDGET_MS: Final = 3000
"""Most milliseconds that the hooks of one invocation may take together: our choice, below the retry at 5 s."""

INVOCATION_BUDGET_WARNING_MS: Final = 2500
"""Sum of hook budgets above which the checker warns, because a cold start comes on top: our choice."""

UNANSWERED_INBOUND_S: Final = 30
"""Seconds an inbound call may stay unanswered. Guide, case-1."""

# --- what is saved in the call -----------------------------------------------------------------------------------

MAX_ATTRIBUTES: Final = 100
"""Most pairs of TransactionAttributes that the service takes. Guide, transaction-attributes."""

EMIT_ATTRIBUTES: Final = 10
"""Most pairs that we send: an older limit that the guide still prints. Guide, attribute-trans-invalid."""

MAX_ATTRIBUTES_BYTES: Final = 20 * 1024
"""Most bytes of the serialised TransactionAttributes. Guide, transaction-attributes."""

EMIT_ATTRIBUTES_BYTES: Final = 16_000
"""Worst case above which a flow does not compile: our choice, a margin below the service's limit."""

NOTE_ATTRIBUTE_CHARS: Final = 1024
"""Length of one value above which the checker prints a note: an older documented limit. PSTN Audio workshop."""

# --- speech, audio, keys -----------------------------------------------------------------------------------------

MAX_TEXT: Final = 1000
"""Most characters of one spoken text, mark-up included. Guide, speak."""

MIN_PAUSE_MS: Final = 100
"""Shortest Pause. Guide, table of action failures (the page itself says only: above 0)."""

MAX_PAUSE_MS: Final = 30_000
"""Longest Pause; longer waits are several. Guide, table of action failures."""

MAX_DIGITS: Final = 128
"""Most keys that one collection takes. Guide, play-audio-get-digits."""

MAX_SENT_DIGITS: Final = 50
"""Most characters of SendDigits. Guide, send-digits."""

MIN_TONE_MS: Final = 50
"""Shortest tone of SendDigits. Guide, send-digits."""

MAX_TONE_MS: Final = 24_000
"""Longest tone of SendDigits. Guide, send-digits."""

MAX_AUDIO_BYTES: Final = 50 * 1024 * 1024
"""Largest audio file. Guide, play-audio."""

MAX_S3_KEY: Final = 1024
"""Longest S3 object key, in bytes. Amazon S3 user guide."""

MAX_RECORDING_PREFIX: Final = 979
"""Longest prefix of a recording. Guide, record-audio."""

MIN_SILENCE: Final = 1
"""Smallest SilenceDurationInSeconds and SilenceThreshold. Guide, record-audio."""

MAX_SILENCE: Final = 1000
"""Largest SilenceDurationInSeconds and SilenceThreshold. Guide, record-audio."""

# --- second leg --------------------------------------------------------------------------------------------------

MIN_RING_S: Final = 1
"""Shortest CallTimeoutSeconds (one error text allows 0). Guide, call-and-bridge."""

MAX_RING_S: Final = 120
"""Longest CallTimeoutSeconds. Guide, call-and-bridge."""

MAX_CONNECTOR_USER: Final = 30
"""Longest user part towards a Voice Connector that we send. Guide of June 2023, call-and-bridge (2026: 36)."""

MAX_SIP_HEADERS: Final = 20
"""Most SIP headers of an outbound call. Model, CreateSipMediaApplicationCall."""

MAX_SIP_HEADER: Final = 2048
"""Longest value of a SIP header. Guide, sip-headers."""

MAX_ARGUMENTS: Final = 20
"""Most arguments of an outbound call or of an update. Model, CreateSipMediaApplicationCall, UpdateSip…Call."""

# --- meetings ----------------------------------------------------------------------------------------------------

MAX_ATTENDEE_LIST: Final = 100
"""Most attendees in one ModifyChimeMeetingAttendees. Guide, mute-unmute."""

MAX_JOIN_TOKEN: Final = 2048
"""Longest join token. Model, CreateAttendee."""

MIN_EXTERNAL_ID: Final = 2
"""Shortest ExternalUserId, ExternalMeetingId, ClientRequestToken. Model, CreateAttendee, CreateMeeting."""

MAX_EXTERNAL_ID: Final = 64
"""Longest ExternalUserId, ExternalMeetingId, ClientRequestToken. Model, CreateAttendee, CreateMeeting."""

MAX_MEETING_ATTENDEES: Final = 250
"""Most attendees of a meeting. Quotas."""

MAX_MEETINGS: Final = 250
"""Default number of meetings at the same time per account and region, adjustable. Quotas."""

MEETING_EMPTY_S: Final = 5 * 60
"""A meeting without a connected attendee ends after this time. Guide, create-mtgs."""

MEETING_LIFE_S: Final = 24 * 60 * 60
"""A meeting ends after this time. Guide, create-mtgs."""

# --- bots --------------------------------------------------------------------------------------------------------

MAX_BOT_CONFIGURATION_BYTES: Final = 10 * 1024
"""Most bytes of the Configuration of StartBotConversation as JSON text. Guide, start-bot-conversation."""

# --- account quotas that decide whether a flow can work at all ---------------------------------------------------

DIALS_PER_S: Final = 1
"""Default rate of CreateSipMediaApplicationCall per region, adjustable. Quotas."""

UPDATES_PER_S: Final = 5
"""Default rate of UpdateSipMediaApplicationCall per region, adjustable. Quotas."""

VOICE_FOCUS_PER_S: Final = 5
"""VoiceFocus requests per second and account. Guide, voice-focus."""

ACTIVE_CALLS: Final = 10
"""Default number of active calls per account and region; each bridge counts 2, adjustable. Quotas."""

PHONE_NUMBERS: Final = 5
"""Default number of provisioned phone numbers, adjustable. Quotas."""

MAX_APPLICATIONS: Final = 30
"""Default number of SIP media applications per region. Quotas."""

MAX_PIPELINES: Final = 10
"""Default number of media pipelines at the same time, except in the region with more. Quotas."""

BOT_QUOTA: Final = 0
"""Default number of bots for StartBotConversation: it must be raised before the first call. Quotas."""
