"""Live transcription of meetings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sma_flows.services.aws.client import AwsError

if TYPE_CHECKING:
    from sma_flows.services.aws.client import Api

SENSELESS: Final = "UnprocessableEntityException"
"""What the service may say to a start of what is on and to a stop of what is not (inferred): both are successes."""


class AwsTranscription:
    """See :class:`~sma_flows.services.ports.Transcription`. Starting what is on already is a success."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def start(self, meeting: str, language: str, token: str, now: float, timeout_s: float) -> None:
        """Transcribe what is said in a meeting."""
        settings = {"EngineTranscribeSettings": {"LanguageCode": language}}
        self._api.call(
            "start_meeting_transcription",
            timeout_s,
            gone=SENSELESS,
            MeetingId=meeting,
            TranscriptionConfiguration=settings,
        )

    def stop(self, meeting: str, token: str, now: float, timeout_s: float) -> None:
        """End the transcription of a meeting; one that is over is a success."""
        try:
            self._api.call("stop_meeting_transcription", timeout_s, gone="NotFoundException", MeetingId=meeting)
        except AwsError as error:
            if error.code != SENSELESS:
                raise
