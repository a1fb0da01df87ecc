"""Carry out the built-in hooks, through the ports.

What each takes and gives is declared in :data:`sma_flows.hooks.builtin.BUILTINS`; here is what it does. A secret goes
into none of them: what is sent or stored would outlive the call (decision 12). The one exception is the key of
``directory.find``, which is compared and not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import ServiceError
from sma_flows.hooks.builtin import BUILTINS
from sma_flows.runtime.ask import Secret, ServiceReply

if TYPE_CHECKING:
    from sma_flows.runtime.ask import Ask
    from sma_flows.services.ports import Directory, Meetings, Outbox

DONE: Final = ServiceReply("done")


@dataclass(frozen=True, slots=True)
class Ports:
    """What the built-ins work on. A port that is not there makes its built-ins fail."""

    directory: Directory | None = None
    meetings: Meetings | None = None
    outbox: Outbox | None = None


@dataclass(frozen=True, slots=True)
class _Work:
    """One built-in to be done: its ask, its settings, its arguments, and how long it may take."""

    ask: Ask
    settings: Mapping[str, Any]
    fixed: Sequence[Any]
    more: Mapping[str, Any]
    ports: Ports
    now: float
    timeout_s: float

    def text(self, position: int) -> str:
        """A fixed argument as text."""
        return as_text(self.fixed[position])

    @property
    def table(self) -> str:
        return as_text(self.settings.get("table"))


def run_builtin(ask: Ask, ports: Ports, env: Mapping[str, str], now: float, timeout_s: float) -> ServiceReply:
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
    return _DO[name](_Work(ask, settings, ask.args[:count], more, ports, now, timeout_s))


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


def _directory(work: _Work) -> Directory:
    if work.ports.directory is None:
        raise ServiceError("no directory is configured")
    return work.ports.directory


def _meetings(work: _Work) -> Meetings:
    if work.ports.meetings is None:
        raise ServiceError("no meeting service is configured")
    return work.ports.meetings


def _send(work: _Work, payload: Mapping[str, Any]) -> None:
    if work.ports.outbox is None:
        raise ServiceError("no place to send things to is configured")
    kind = str(work.ask.hook["builtin"])
    work.ports.outbox.send(kind, work.ask.token, {**work.settings, **payload}, work.now, work.timeout_s)


def _find(work: _Work) -> ServiceReply:
    directory = _directory(work)
    find = directory.find_secret if isinstance(work.fixed[0], Secret) else directory.find
    row = find(work.table, work.text(0), work.timeout_s)
    if row is None:
        return ServiceReply("none")
    wanted = work.ask.hook.get("outcomes", {}).get("found") or {}
    return ServiceReply("found", {name: row[name] for name in wanted if row.get(name) is not None})


def _put(work: _Work) -> ServiceReply:
    _directory(work).put(work.table, work.text(0), work.more, work.ask.token, work.now, work.timeout_s)
    return DONE


def _claim(work: _Work) -> ServiceReply:
    mine = _directory(work).claim(work.table, work.text(0), work.more, work.ask.token, work.timeout_s)
    return ServiceReply("claimed" if mine else "taken")


def _remove(work: _Work) -> ServiceReply:
    _directory(work).remove(work.table, work.text(0), work.timeout_s)
    return DONE


def _meeting_open(work: _Work) -> ServiceReply:
    chosen = work.settings.get("region")
    region = as_text(chosen) if chosen else ""  # empty: the one we run in
    return ServiceReply("done", {"meeting": _meetings(work).open(work.text(0), region, work.timeout_s)})


def _meeting_find(work: _Work) -> ServiceReply:
    meeting = _meetings(work).find(work.text(0), work.timeout_s)
    return ServiceReply("none") if meeting is None else ServiceReply("found", {"meeting": meeting})


def _meeting_close(work: _Work) -> ServiceReply:
    _meetings(work).close(work.text(0), work.timeout_s)
    return DONE


def _post(work: _Work) -> ServiceReply:
    _send(work, {**work.more, "text": work.text(0)})
    return DONE


def _queue(work: _Work) -> ServiceReply:
    _send(work, {**work.more, "message": work.fixed[0]})
    return DONE


def _start(work: _Work) -> ServiceReply:
    _send(work, {"meeting": work.text(0)})
    return ServiceReply("done", {"pipeline": work.ask.token})


def _stop(work: _Work) -> ServiceReply:
    _send(work, {"pipeline": work.text(0)})
    return DONE


def _dial(work: _Work) -> ServiceReply:
    flow, to, caller = work.text(0), work.text(1), work.text(2)
    if not (to.startswith("+") and to[1:].isdigit()):
        return ServiceReply("refused")
    _send(work, {"flow": flow, "to": to, "from": caller, "inputs": dict(work.more)})
    return ServiceReply("done", {"transaction": work.ask.token})


_DO: Final[Mapping[str, Callable[[_Work], ServiceReply]]] = {
    "directory.find": _find,
    "directory.put": _put,
    "directory.claim": _claim,
    "directory.remove": _remove,
    "meetings.open": _meeting_open,
    "meetings.find": _meeting_find,
    "meetings.close": _meeting_close,
    "channel.post": _post,
    "queue.put": _queue,
    "stream.start": _start,
    "stream.stop": _stop,
    "capture.start": _start,
    "capture.stop": _stop,
    "transcription.start": _start,
    "transcription.stop": _stop,
    "calls.dial": _dial,
}
