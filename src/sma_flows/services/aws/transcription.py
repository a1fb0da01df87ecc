"""Live transcription of meetings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sma_flows.services.aws.client import Api


class AwsTranscription:
    """See :class:`~sma_flows.services.ports.Transcription`. Starting it again changes its language and nothing else."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def start(self, meeting: str, language: str, token: str, now: float, timeout_s: float) -> None:
        """Transcribe what is said in a meeting."""
        settings = {"EngineTranscribeSettings": {"LanguageCode": language}}
        self._api.call("start_meeting_transcription", timeout_s, MeetingId=meeting, TranscriptionConfiguration=settings)

    def stop(self, meeting: str, token: str, now: float, timeout_s: float) -> None:
        """End the transcription of a meeting; one that is over is a success."""
        self._api.call("stop_meeting_transcription", timeout_s, gone="NotFoundException", MeetingId=meeting)
