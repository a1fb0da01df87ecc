"""What a hook of your own may ask of the world, with the same promises that a built-in hook gives::

    @hook
    def tell_team(call: Call, words: str) -> Reply:
        row = call.services.directory.find(call.caller)
        call.services.channel.post(f"{row['name'] if row else 'Somebody'}: {words}")
        return Reply("done")

The flow says what the hook uses and where that is, so that it can be checked, permitted and opened before the first
call::

    hooks:
      tell_team:
        python: hooks.team:tell_team
        effect: keyed
        uses:
          directory.find: {table: env.PEOPLE}
          channel.post: {channel: env.TEAM_CHANNEL, bearer: env.TEAM_BOT}

Each use has an effect token of its own, made of the hook's token and of its number among the uses of that service: a
hook that does the same things in the same order, when its event comes twice, has each effect once. Every method raises
:class:`~sma_flows.errors.ServiceError` when the service did not do it; a hook that does not catch it has the outcome
``failed``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Protocol

from sma_flows.errors import ServiceError
from sma_flows.runtime.ask import Secret

__all__ = [
    "CallServices",
    "Calls",
    "Channel",
    "Directory",
    "Meetings",
    "Outcome",
    "Pipelines",
    "Queue",
    "Run",
    "Transcription",
]


class Outcome(Protocol):
    """What came of a built-in hook."""

    @property
    def outcome(self) -> str:
        """Its outcome."""
        ...

    @property
    def values(self) -> Mapping[str, Any]:
        """Its results by name."""
        ...


class Run(Protocol):
    """Does one built-in hook: its name, arguments, fields, settings beyond those of the flow, and its number."""

    def __call__(
        self, name: str, args: tuple[Any, ...], fields: Mapping[str, Any], settings: Mapping[str, Any], nth: int, /
    ) -> Outcome:
        """Do it.

        Raises:
            ServiceError: it could not be done.
        """
        ...


class _Group:
    def __init__(self, services: CallServices) -> None:
        self._services = services

    def _run(self, name: str, *args: Any, fields: Mapping[str, Any] | None = None, **settings: Any) -> Outcome:
        given = {key: value for key, value in settings.items() if value is not None}
        return self._services.run(name, args, fields or {}, given)


class Directory(_Group):
    """Rows by key. ``table`` is needed only where it is not the one that the flow names under ``uses:``."""

    def find(self, key: str | Secret, *, table: str | None = None) -> Mapping[str, Any] | None:
        """The row under *key*, or None. A :class:`~sma_flows.hooks.Secret` finds what was stored under a PIN."""
        found = self._run("directory.find", key, table=table)
        return found.values if found.outcome == "found" else None

    def put(self, key: str, *, table: str | None = None, **fields: Any) -> None:
        """Write *fields* into the row under *key*; its other fields stay."""
        self._run("directory.put", key, fields=fields, table=table)

    def claim(self, key: str, *, table: str | None = None, **fields: Any) -> bool:
        """Write the row under *key* if there is none; whether it is ours."""
        return self._run("directory.claim", key, fields=fields, table=table).outcome == "claimed"

    def remove(self, key: str, *, table: str | None = None) -> None:
        """Delete the row under *key*."""
        self._run("directory.remove", key, table=table)


class Meetings(_Group):
    """Meetings by name."""

    def open(self, name: str, *, region: str | None = None) -> str:
        """Id of the living meeting called *name*, made if there is none."""
        return str(self._run("meetings.open", name, region=region).values["meeting"])

    def find(self, name: str) -> str | None:
        """Id of the living meeting called *name*, or None."""
        found = self._run("meetings.find", name)
        return str(found.values["meeting"]) if found.outcome == "found" else None

    def close(self, name: str) -> None:
        """End the meeting called *name*."""
        self._run("meetings.close", name)

    def mute(self, meeting: str, attendee: str) -> None:
        """Let an attendee of the meeting with the id *meeting* only hear."""
        self._run("meetings.mute", meeting, attendee)

    def unmute(self, meeting: str, attendee: str) -> None:
        """Let an attendee speak again."""
        self._run("meetings.unmute", meeting, attendee)


class Calls(_Group):
    """Calls that we place, and what running calls are told."""

    def dial(self, flow: str, *, to: str, caller_id: str, application: str | None = None, **inputs: Any) -> str | None:
        """Dial *to*; *flow* answers with *inputs*. The transaction id, or None where the dial policy refuses."""
        placed = self._run("calls.dial", flow, to, caller_id, fields=inputs, application=application)
        return str(placed.values["transaction"]) if placed.outcome == "done" else None

    def update(
        self, flow: str, transaction: str, update: str, *, application: str | None = None, **arguments: Any
    ) -> bool:
        """Send the declared *update* to a running call of *flow*; false when that call is over."""
        told = self._run("calls.update", flow, transaction, update, fields=arguments, application=application)
        return told.outcome == "done"


class Channel(_Group):
    """Messaging channels."""

    def post(self, text: str, *, channel: str | None = None, bearer: str | None = None, **metadata: Any) -> None:
        """Post *text*; *metadata* goes with it as JSON."""
        self._run("channel.post", text, fields=metadata, channel=channel, bearer=bearer)


class Queue(_Group):
    """Queues and event buses."""

    def put(self, message: Any, *, queue: str | None = None, kind: str | None = None, **fields: Any) -> None:
        """Hand *message* over, with *fields* beside it."""
        self._run("queue.put", message, fields=fields, queue=queue, kind=kind)


class Pipelines(_Group):
    """Live streams (``stream``) or recordings (``capture``) of meetings."""

    def __init__(self, services: CallServices, kind: str) -> None:
        super().__init__(services)
        self._kind = kind

    def start(self, meeting: str, *, sink: str | None = None) -> str:
        """Begin; gives the id of the pipeline."""
        return str(self._run(f"{self._kind}.start", meeting, sink=sink).values["pipeline"])

    def stop(self, pipeline: str) -> None:
        """End."""
        self._run(f"{self._kind}.stop", pipeline)


class Transcription(_Group):
    """Transcriptions of meetings."""

    def start(self, meeting: str, *, language: str | None = None) -> None:
        """Transcribe what is said, in the call's locale unless said."""
        self._run("transcription.start", meeting, language=language)

    def stop(self, meeting: str) -> None:
        """End the transcription."""
        self._run("transcription.stop", meeting)


def _none(name: str, *_: object) -> Outcome:
    raise ServiceError(f"{name} was used, and the hook's flow does not say `uses:`")


class CallServices:
    """The services of one run of one hook, at ``call.services``. In a test of your own: ``CallServices(run)``."""

    def __init__(self, run: Run = _none) -> None:
        self._do: Final = run
        self._used: Counter[str] = Counter()
        self.directory: Final = Directory(self)
        self.meetings: Final = Meetings(self)
        self.calls: Final = Calls(self)
        self.channel: Final = Channel(self)
        self.queue: Final = Queue(self)
        self.stream: Final = Pipelines(self, "stream")
        self.capture: Final = Pipelines(self, "capture")
        self.transcription: Final = Transcription(self)

    def run(self, name: str, args: tuple[Any, ...], fields: Mapping[str, Any], settings: Mapping[str, Any]) -> Outcome:
        """Do the built-in hook *name*, whose methods are the groups above.

        Raises:
            ServiceError: it could not be done.
        """
        self._used[name] += 1
        return self._do(name, args, fields, settings, self._used[name])
