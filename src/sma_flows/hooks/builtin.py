"""The built-in hooks: what each takes, answers and gives.

One table, read by the compiler (names, argument counts, outcomes, types, effect classes) and by the services (which
carry them out). Nothing happens on import.

In a flow a built-in is named with its settings::

    hooks:
      accounts: {builtin: directory.find, with: {table: env.ACCOUNTS}, gives: {account: digits(5)}}
      remember: {builtin: directory.put, with: {table: env.ACCOUNTS}, fields: [account, since]}

``run: remember(call.from, account, "today")`` then writes the fields ``account`` and ``since`` of the row under the
caller's number. Where :attr:`Builtin.fields` is true, arguments beyond the fixed ones are the values of the hook's
``fields:``, in that order; where :attr:`Builtin.declared` is true, the flow's own ``gives:`` names the columns to read.

Effect classes are those of decision 17: ``read`` (nothing happens), ``keyed`` (the callee knows the effect token),
``repeatable`` (doing it again changes nothing), ``once`` (protected by a memo record, needs a store).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

EFFECTS: Final = ("read", "keyed", "repeatable", "once")
"""The effect classes a hook may declare; a user's own hook that declares none is ``once``."""


class Builtin(NamedTuple):
    """One built-in hook.

    ``args`` maps the fixed positional arguments to their types, in order, written as the flow language writes types
    (``any``: whatever the flow has). ``outcomes`` lists the outcomes, main one first. ``gives`` maps result names to
    types and belongs to the main outcome. ``settings`` are the keys that ``with:`` may hold; those in ``required``
    must be there, those in ``in_aws`` where AWS does the work.
    """

    args: Mapping[str, str]
    outcomes: tuple[str, ...]
    effect: str
    gives: Mapping[str, str] = MappingProxyType({})
    settings: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    in_aws: tuple[str, ...] = ()
    fields: bool = False
    declared: bool = False
    budget_ms: int = 1000

    @property
    def main(self) -> str:
        """The outcome that a plain ``next: NAME`` answers."""
        return self.outcomes[0]


def _pipeline(kind: str, setting: str, needed: bool) -> dict[str, Builtin]:
    """Start and stop of something that runs beside a meeting and is known by the id of its pipeline."""
    return {
        f"{kind}.start": Builtin(
            args={"meeting": "text(64)"},
            outcomes=("done",),
            gives={"pipeline": "text(64)"},
            effect="keyed",
            settings=(setting,),
            in_aws=(setting,) if needed else (),
            budget_ms=1500,
        ),
        f"{kind}.stop": Builtin(args={"pipeline": "text(64)"}, outcomes=("done",), effect="repeatable"),
    }


_TABLE: Final = ("table",)

BUILTINS: Final[Mapping[str, Builtin]] = MappingProxyType(
    {
        # Rows by key. `find` reads the columns that the flow's `gives:` names.
        "directory.find": Builtin(
            args={"key": "text(200)"},
            outcomes=("found", "none"),
            effect="read",
            settings=_TABLE,
            required=_TABLE,
            declared=True,
        ),
        "directory.put": Builtin(
            args={"key": "text(200)"},
            outcomes=("done",),
            effect="keyed",
            settings=_TABLE,
            required=_TABLE,
            fields=True,
        ),
        # The first to claim a key has it; the same effect token claims it again.
        "directory.claim": Builtin(
            args={"key": "text(200)"},
            outcomes=("claimed", "taken"),
            effect="keyed",
            settings=_TABLE,
            required=_TABLE,
            fields=True,
        ),
        "directory.remove": Builtin(
            args={"key": "text(200)"}, outcomes=("done",), effect="repeatable", settings=_TABLE, required=_TABLE
        ),
        # One name, one meeting: opening an open meeting gives the same id.
        "meetings.open": Builtin(
            args={"name": "text(64)"},
            outcomes=("done",),
            gives={"meeting": "text(64)"},
            effect="keyed",
            settings=("region",),
        ),
        "meetings.find": Builtin(
            args={"name": "text(64)"}, outcomes=("found", "none"), gives={"meeting": "text(64)"}, effect="read"
        ),
        "meetings.close": Builtin(args={"name": "text(64)"}, outcomes=("done",), effect="repeatable"),
        # An attendee hears on; picture and content are not touched.
        "meetings.mute": Builtin(
            args={"meeting": "text(64)", "attendee": "text(64)"}, outcomes=("done",), effect="repeatable"
        ),
        "meetings.unmute": Builtin(
            args={"meeting": "text(64)", "attendee": "text(64)"}, outcomes=("done",), effect="repeatable"
        ),
        "channel.post": Builtin(
            args={"text": "text(2048)"},
            outcomes=("done",),
            effect="keyed",
            settings=("channel", "bearer"),
            in_aws=("channel", "bearer"),
            fields=True,
        ),
        # Keyed on a FIFO queue only: elsewhere the services put a memo record in front of it (services/needs.py).
        "queue.put": Builtin(
            args={"message": "any"},
            outcomes=("done",),
            effect="keyed",
            settings=("queue", "kind"),
            in_aws=("queue",),
            fields=True,
        ),
        **_pipeline("stream", "sink", needed=True),
        **_pipeline("capture", "sink", needed=True),
        **_pipeline("transcription", "language", needed=False),
        # CreateSipMediaApplicationCall takes no request token: only a memo record keeps a retry from dialling twice.
        "calls.dial": Builtin(
            args={"flow": "text(40)", "to": "phone", "from": "phone"},
            outcomes=("done", "refused"),
            gives={"transaction": "text(64)"},
            effect="once",
            settings=("application",),
            in_aws=("application",),
            fields=True,
        ),
        # The arguments of the update are the hook's `fields:`.
        "calls.update": Builtin(
            args={"flow": "text(40)", "transaction": "text(64)", "update": "text(40)"},
            outcomes=("done", "over"),
            effect="once",
            settings=("application",),
            in_aws=("application",),
            fields=True,
        ),
    }
)
"""Every built-in by the name that a flow writes after ``builtin:``."""
