"""Who is called, and what they do: answer, be busy, reject, let it ring; press keys, talk, hang up; be a machine.

A :class:`Party` is a value; the driver lets it act in virtual time. Which one answers is said by number (``*``: every
other number), or one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from sma_flows.simulator.messages import Callee, HangUp, Key, Talk

__all__ = ["ANY", "Act", "Does", "Parties", "Party", "party_of", "presses", "voicemail"]

ANY: Final = "*"
"""Stands for every number that has no party of its own."""

KEY_GAP_MS: Final = 300
"""Between two keys of a party."""

GREETING_MS: Final = 5_000
BEEP_MS: Final = 400
VOICEMAIL_ENDS_MS: Final = 120_000
"""After that time a voicemail hangs up by itself."""

Does = Literal["answers", "voicemail", "busy", "rejects", "no_answer"]
Act = tuple[int, Key | Talk | HangUp]
"""Something done so many milliseconds after the answer; on which leg is filled in when it happens."""


@dataclass(frozen=True, slots=True)
class Party:
    """How a called party behaves: it rings after ``rings_ms`` (None: nobody says so), and acts after ``after_ms``.

    ``code`` is for ``rejects``. ``acts`` follow an answer. Of a bridge that nobody answers the service's time-out is
    the end; an outbound call that nobody answers ends after ``after_ms``.
    """

    does: Does = "answers"
    after_ms: int = 4_000
    rings_ms: int | None = 500
    code: int = 603
    acts: tuple[Act, ...] = ()

    @property
    def picks_up(self) -> bool:
        """There is an answer, by a person or a machine."""
        return self.does in ("answers", "voicemail")

    def until_answer(self, leg: str) -> list[tuple[int, Callee]]:
        """What it does while *leg* rings."""
        rings = self.rings_ms is not None and (self.does not in ("busy", "rejects") or self.rings_ms < self.after_ms)
        steps = [(self.rings_ms or 0, Callee("rings"))] if rings else []
        if self.does != "no_answer" or leg == "LEG-A":  # rule 43: the time-out of a bridge comes by itself
            steps.append((self.after_ms, Callee(self.does, self.code)))
        return steps

    def after_answer(self, leg: str) -> list[Act]:
        """What it does on *leg* once it has answered."""
        return [(ms, replace(act, leg=leg)) for ms, act in self.acts]


def presses(keys: str, after_ms: int = 1_000) -> tuple[Act, ...]:
    """Keys one after the other, the first *after_ms* after the answer."""
    return tuple((after_ms + place * KEY_GAP_MS, Key(key)) for place, key in enumerate(keys))


def voicemail(
    after_ms: int = 15_000, greets_ms: int = GREETING_MS, hangs_up_ms: int = VOICEMAIL_ENDS_MS, file: str = ""
) -> Party:
    """A machine: it answers late, says its greeting (*file*: this one), beeps, listens, and hangs up in the end."""
    acts: tuple[Act, ...] = (
        (0, Talk(greets_ms, file=file)),
        (greets_ms, Talk(BEEP_MS, sound="beep")),
        (max(hangs_up_ms, greets_ms + BEEP_MS), HangUp()),
    )
    return Party("voicemail", after_ms, acts=acts)


Parties = Sequence[Party] | Mapping[str, Party]
"""Parties by number, or one after the other (the last one repeats)."""


def party_of(parties: Mapping[str, Party], number: str) -> Party | None:
    """Who is at *number*: its own party, or the one for every number; None: nobody was named."""
    return parties.get(number) or parties.get(ANY)
