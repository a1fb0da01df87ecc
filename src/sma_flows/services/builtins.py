"""Carry out the built-in hooks, through the ports.

What each takes and gives is declared in :data:`sma_flows.hooks.builtin.BUILTINS`; here is what it does. A secret goes
into none of them: what is sent or stored would outlive the call (decision 12). The one exception is the key of
``directory.find``, which is compared and not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from sma_flows.errors import ServiceError
from sma_flows.hooks.builtin import BUILTINS
from sma_flows.runtime.ask import Secret, ServiceReply
from sma_flows.runtime.nodes import effect_token
from sma_flows.services.outbound import RefusedNumberError

if TYPE_CHECKING:
    from sma_flows.runtime.ask import Ask
    from sma_flows.services.outbound import Outbound
    from sma_flows.services.ports import Capture, Ports, Stream

T = TypeVar("T")

DONE: Final = ServiceReply("done")

STREAMS: Final = "service for streams"
RECORDINGS: Final = "service for recordings of meetings"
TRANSCRIPTIONS: Final = "service for transcriptions"


class _Work(NamedTuple):
    """One built-in to be done: its ask, its settings, its arguments, and how long it may take."""

    ask: Ask
    settings: Mapping[str, Any]
    fixed: Sequence[Any]
    more: Mapping[str, Any]
    ports: Ports
    outbound: Outbound
    now: float
    timeout_s: float

    def text(self, position: int) -> str:
        """A fixed argument as text."""
        return as_text(self.fixed[position])

    def option(self, name: str, default: str = "") -> str:
        """A setting as text."""
        chosen = self.settings.get(name)
        return as_text(chosen) if chosen else default

    @property
    def table(self) -> str:
        return as_text(self.settings.get("table"))


_Do = Callable[[_Work], ServiceReply]


def run_builtin(
    ask: Ask, ports: Ports, outbound: Outbound, env: Mapping[str, str], now: float, timeout_s: float
) -> ServiceReply:
    """Do what a built-in hook says.

    Raises:
        ServiceError: an argument or a setting is missing or secret, a port is missing, or it could not do its work.
    """
    name = str(ask.hook["builtin"])
    declared = BUILTINS.get(name)
    if declared is None:
        raise ServiceError(f"there is no built-in '{name}'")
    settings = {key: setting(value, env) for key, value in ask.hook.get("with", {}).items()}
    for key in declared.required:
        if not settings.get(key):
            raise ServiceError(f"{name} needs the setting '{key}'")
    count = len(declared.args)
    fields = ask.hook.get("fields", ())
    if len(ask.args) < count or len(ask.args) - count != len(fields):
        raise ServiceError(f"{name} was given {len(ask.args)} arguments")
    secret_key = name == "directory.find" and isinstance(ask.args[0], Secret)
    if not secret_key and any(isinstance(value, Secret) for value in ask.args):
        raise ServiceError(f"{name} takes no secret")
    more = dict(zip(fields, ask.args[count:], strict=True))
    return _DO[name](_Work(ask, settings, ask.args[:count], more, ports, outbound, now, timeout_s))


def asked(
    ask: Ask, name: str, args: tuple[Any, ...], fields: Mapping[str, Any], settings: Mapping[str, Any], nth: int
) -> Ask:
    """What a hook of the author's own asks for while it does *ask*: its *nth* use of the built-in *name*.

    Raises:
        ServiceError: the hook does not declare that it uses it.
    """
    uses = ask.hook.get("uses", {})
    if name not in uses:
        raise ServiceError(f"the hook does not declare `uses: {{{name}: ...}}`")
    declared = BUILTINS[name]
    gives: dict[str, Any] = {key: {} for key in declared.gives}
    hook = {
        "builtin": name,
        "with": {**uses[name], **settings},
        "fields": tuple(fields),
        "outcomes": {outcome: gives if outcome == declared.main else {} for outcome in declared.outcomes},
        "row": "whole",
    }
    return ask._replace(
        hook=hook,
        args=(*args, *fields.values()),
        token=effect_token(ask.token, name, str(nth)),
        effect=declared.effect,
        limits=(),
    )


def setting(value: object, env: Mapping[str, str]) -> Any:
    """A setting of ``with:`` as the plan writes it: a constant, a value of the environment, or a text of these.

    Raises:
        ServiceError: it depends on something else; the runtime puts in the values of a call.
    """
    if not isinstance(value, list):
        return value
    match value:
        case ["lit", constant]:
            return constant
        case ["env", str() as name]:
            return env.get(name)
        case ["text", list() as parts]:
            return "".join(part if isinstance(part, str) else as_text(setting(part, env)) for part in parts)
        case _:
            raise ServiceError("a setting of a built-in hook must be a constant or a value of the environment")


def as_text(value: object) -> str:
    """A number or text as text.

    Raises:
        ServiceError: unset, or something else.
    """
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ServiceError("a built-in hook was given an unset or unsuitable value")


def need(port: T | None, what: str) -> T:
    """The port, which has to be there.

    Raises:
        ServiceError: it is not.
    """
    if port is None:
        raise ServiceError(f"no {what} is configured")
    return port


def _find(work: _Work) -> ServiceReply:
    directory = need(work.ports.directory, "directory")
    find = directory.find_secret if isinstance(work.fixed[0], Secret) else directory.find
    row = find(work.table, work.text(0), work.timeout_s)
    if row is None:
        return ServiceReply("none")
    declared = work.ask.hook.get("outcomes", {}).get("found") or {}
    wanted = row if "row" in work.ask.hook else declared  # a hook of its own code gets the whole row
    return ServiceReply("found", {name: row[name] for name in wanted if row.get(name) is not None})


def _put(work: _Work) -> ServiceReply:
    directory = need(work.ports.directory, "directory")
    directory.put(work.table, work.text(0), work.more, work.ask.token, work.now, work.timeout_s)
    return DONE


def _claim(work: _Work) -> ServiceReply:
    directory = need(work.ports.directory, "directory")
    mine = directory.claim(work.table, work.text(0), work.more, work.ask.token, work.timeout_s)
    return ServiceReply("claimed" if mine else "taken")


def _remove(work: _Work) -> ServiceReply:
    need(work.ports.directory, "directory").remove(work.table, work.text(0), work.timeout_s)
    return DONE


def _meeting_open(work: _Work) -> ServiceReply:
    meetings = need(work.ports.meetings, "meeting service")
    # no region: the one we run in
    meeting = meetings.open(work.text(0), work.option("region"), work.now, work.timeout_s)
    return ServiceReply("done", {"meeting": meeting})


def _meeting_find(work: _Work) -> ServiceReply:
    meeting = need(work.ports.meetings, "meeting service").find(work.text(0), work.now, work.timeout_s)
    return ServiceReply("none") if meeting is None else ServiceReply("found", {"meeting": meeting})


def _meeting_close(work: _Work) -> ServiceReply:
    need(work.ports.meetings, "meeting service").close(work.text(0), work.now, work.timeout_s)
    return DONE


def _mute(muted: bool) -> _Do:
    def do(work: _Work) -> ServiceReply:
        need(work.ports.meetings, "meeting service").mute(work.text(0), work.text(1), muted, work.timeout_s)
        return DONE

    return do


def _post(work: _Work) -> ServiceReply:
    channel, bearer = work.option("channel"), work.option("bearer")
    need(work.ports.channel, "messaging service").post(
        channel, bearer, work.text(0), work.more, work.ask.token, work.now, work.timeout_s
    )
    return DONE


def _queue(work: _Work) -> ServiceReply:
    queue, kind = work.option("queue"), work.option("kind", work.ask.name)
    body = {**work.more, "call": work.ask.call.id, "message": work.fixed[0]}
    need(work.ports.queue, "queue").put(queue, kind, body, work.ask.token, work.now, work.timeout_s)
    return DONE


def _start(kind: str, what: str) -> _Do:
    """Start what runs beside a meeting and is known by the id of its pipeline."""

    def do(work: _Work) -> ServiceReply:
        port: Stream | Capture | None = getattr(work.ports, kind)
        pipeline = need(port, what).start(work.text(0), work.option("sink"), work.ask.token, work.now, work.timeout_s)
        return ServiceReply("done", {"pipeline": pipeline})

    return do


def _stop(kind: str, what: str) -> _Do:
    """End it."""

    def do(work: _Work) -> ServiceReply:
        port: Any = getattr(work.ports, kind)
        need(port, what).stop(work.text(0), work.ask.token, work.now, work.timeout_s)
        return DONE

    return do


def _transcription_start(work: _Work) -> ServiceReply:
    meeting, language = work.text(0), work.option("language", work.ask.call.locale or "en-US")
    need(work.ports.transcription, TRANSCRIPTIONS).start(meeting, language, work.ask.token, work.now, work.timeout_s)
    return ServiceReply("done", {"pipeline": meeting})  # a meeting has one, and it is stopped by the meeting's id


def _dial(work: _Work) -> ServiceReply:
    calls = need(work.ports.calls, "service for calls")
    try:
        transaction = work.outbound.place(
            calls,
            work.text(0),
            work.text(1),
            work.text(2),
            work.more,
            token=work.ask.token,
            now=work.now,
            timeout_s=work.timeout_s,
            application=work.option("application"),
            revision=work.ask.revision,
        )
    except RefusedNumberError:
        return ServiceReply("refused")
    return ServiceReply("done", {"transaction": transaction})


def _update(work: _Work) -> ServiceReply:
    reached = work.outbound.tell(
        need(work.ports.calls, "service for calls"),
        work.text(0),
        work.text(1),
        work.text(2),
        work.more,
        token=work.ask.token,
        now=work.now,
        timeout_s=work.timeout_s,
        application=work.option("application"),
    )
    return DONE if reached else ServiceReply("over")


_DO: Final[Mapping[str, _Do]] = {
    "directory.find": _find,
    "directory.put": _put,
    "directory.claim": _claim,
    "directory.remove": _remove,
    "meetings.open": _meeting_open,
    "meetings.find": _meeting_find,
    "meetings.close": _meeting_close,
    "meetings.mute": _mute(True),
    "meetings.unmute": _mute(False),
    "channel.post": _post,
    "queue.put": _queue,
    "stream.start": _start("stream", STREAMS),
    "stream.stop": _stop("stream", STREAMS),
    "capture.start": _start("capture", RECORDINGS),
    "capture.stop": _stop("capture", RECORDINGS),
    "transcription.start": _transcription_start,
    "transcription.stop": _stop("transcription", TRANSCRIPTIONS),
    "calls.dial": _dial,
    "calls.update": _update,
}
