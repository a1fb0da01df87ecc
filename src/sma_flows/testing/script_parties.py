"""``parties`` of a calls file: who is at a number, and what they do by themselves.

``busy``, or ``{answers: after 4s, presses: {2s: "1"}, talks: hello.wav, hangs_up: after 20s}``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from sma_flows.flow.diagnostics import did_you_mean
from sma_flows.flow.nodes import Mapping_, Node, Scalar, Span
from sma_flows.simulator.messages import HangUp, Key, Talk
from sma_flows.simulator.parties import ANY, BEEP_MS, GREETING_MS, VOICEMAIL_ENDS_MS, Act, Does, Party, presses
from sma_flows.simulator.wav import NotPlayableError, read_header
from sma_flows.testing.mistake import Mistake
from sma_flows.testing.stubs import seconds

__all__ = ["Party", "beside", "file_beside", "read_party", "read_party_name", "read_spoken", "written"]

T = TypeVar("T")
_NOWHERE: Final = Span("", 1, 1, 1, 1)

CODE: Final = "SF512"

DOES: Final[tuple[Does, ...]] = get_args(Does)
KEYS: Final = (*DOES, "rings", "code", "presses", "talks", "greets", "hangs_up")
EXAMPLE: Final = 'write for example `{answers: after 4s, presses: "1", hangs_up: after 20s}`, or busy, no_answer'

AFTER_MS: Final = {"answers": 4_000, "voicemail": 15_000, "busy": 1_000, "rejects": 4_000, "no_answer": 60_000}
"""When a party does what it does, if the file does not say."""

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{1,14}")
_ENV: Final = re.compile(r"env\.[A-Za-z_][A-Za-z0-9_]*")
_USER: Final = re.compile(r"[A-Za-z0-9&=+$/%_!~*().-]{1,36}")
_KEYS_PRESSED: Final = re.compile(r"[0-9*#A-D]+")


def read_party_name(node: Scalar) -> str:
    """Whose party it is: a number, ``env.NAME`` of the flow, the user of a Voice Connector, or ``*``.

    Raises:
        Mistake: it is none of these.
    """
    text = node.text
    env, number = text.startswith("env."), text.startswith("+") or text.isdecimal()
    if text != ANY and not (_ENV if env else _NUMBER if number else _USER).fullmatch(text):
        help_ = 'write a number in quotes ("+12065550150"), env.NAME, or "*" for every other number'
        raise Mistake(CODE, node, f"'{text}' is nobody who can be called", help_)
    return text


def read_party(node: Node) -> Party:
    """How a party behaves.

    Raises:
        Mistake: something in it cannot be; the first one.
    """
    if isinstance(node, Scalar):
        if node.text not in DOES:
            raise Mistake(
                CODE, node, f"a party cannot be '{node.text}'", did_you_mean(node.text, list(DOES)) or EXAMPLE
            )
        return _party(_does(node), AFTER_MS[node.text], Mapping_((), node.span))
    if not isinstance(node, Mapping_):
        raise Mistake(CODE, node, "a party is a word or a map", EXAMPLE)
    for key, _ in node.entries:
        if key.text not in KEYS:
            known = did_you_mean(key.text, list(KEYS)) or f"the keys are {', '.join(KEYS)}"
            raise Mistake(CODE, key, f"a party has no key '{key.text}'", known)
    said = [(key, value) for key, value in node.entries if key.text in DOES]
    if len(said) != 1:
        wrong = "does not say what it does" if not said else f"says both '{said[0][0].text}' and '{said[1][0].text}'"
        raise Mistake(CODE, said[1][0] if said else node, f"the party {wrong}", EXAMPLE)
    ((key, value),) = said
    return _party(_does(key), _after(value, key.text), node)


def _does(node: Scalar) -> Does:
    return next(does for does in DOES if does == node.text)


def _party(does: Does, after_ms: int, node: Mapping_) -> Party:
    allowed = {
        "answers": ("presses", "talks", "hangs_up"),
        "voicemail": ("greets", "hangs_up"),
        "rejects": ("code",),
    }.get(does, ())
    for key, _ in node.entries:
        if key.text not in (does, "rings", *allowed):
            raise Mistake(CODE, key, f"a party that says '{does}' has no '{key.text}'", _why_not(key.text))
    rings = node.get("rings")
    acts = _machine(node) if does == "voicemail" else _person(node)
    return Party(
        does=does,
        after_ms=after_ms,
        rings_ms=min(500, after_ms) if rings is None else _after(rings, "rings"),
        code=_code(node.get("code")),
        acts=tuple(sorted(acts, key=lambda act: act[0])),
    )


def _why_not(key: str) -> str:
    needs = {"code": "rejects", "greets": "voicemail", "hangs_up": "answers or voicemail"}
    return f"'{key}' belongs to a party that says `{needs.get(key, 'answers')}`"


def _person(node: Mapping_) -> Iterator[Act]:
    for at, value in _timed(node.get("presses"), _pressed, 1_000):
        yield from presses(value, at)
    for at, (ms, file) in _timed(node.get("talks"), read_spoken, 500):
        yield at, Talk(ms, file=file)
    hangs_up = node.get("hangs_up")
    if hangs_up is not None:
        yield _after(hangs_up, "hangs_up"), HangUp()


def _machine(node: Mapping_) -> Iterator[Act]:
    greets, ends = node.get("greets"), node.get("hangs_up")
    ms, file = read_spoken(greets, "greets") if greets is not None else (GREETING_MS, "")
    yield 0, Talk(ms, file=file)
    yield ms, Talk(BEEP_MS, sound="beep")
    yield max(ms + BEEP_MS, _after(ends, "hangs_up") if ends is not None else VOICEMAIL_ENDS_MS), HangUp()


def _timed(node: Node | None, read: Callable[[Node, str], T], usual_ms: int) -> Iterator[tuple[int, T]]:
    """One value at the usual time, or a map from times after the answer to values."""
    name = "presses" if read is _pressed else "talks"
    if isinstance(node, Mapping_):
        for key, value in node.entries:
            yield _after(key, name), read(value, name)
    elif node is not None:
        yield usual_ms, read(node, name)


def _after(node: Node, key: str) -> int:
    text = node.text if isinstance(node, Scalar) else ""
    length = seconds(text.removeprefix("after "))
    if length is None:
        raise Mistake(CODE, node, f"'{key}' cannot be at the time '{text}'", f"write for example `{key}: after 4s`")
    return round(length * 1000)


def _code(node: Node | None) -> int:
    if node is None:
        return 603
    text = node.text if isinstance(node, Scalar) else ""
    if not re.fullmatch(r"[3-6][0-9]{2}", text):
        raise Mistake(CODE, node, f"'{text}' is no SIP code of a refusal", "write one from 300 to 699, for example 603")
    return int(text)


def _pressed(node: Node, key: str) -> str:
    text = node.text if isinstance(node, Scalar) else ""
    if not _KEYS_PRESSED.fullmatch(text):
        help_ = f'write `{key}: "1"`, or with times after the answer: {{2s: "1", 6s: "22#"}}'
        raise Mistake(CODE, node, f"'{text}' are no keys of a telephone", help_)
    return text


def read_spoken(node: Node, key: str, code: str = CODE) -> tuple[int, str]:
    """How long somebody speaks (ms), and the WAV file with what is said, if it is one.

    Raises:
        Mistake: neither a length of time nor a file that can be spoken.
    """
    text = node.text if isinstance(node, Scalar) else ""
    length = seconds(text)
    if length is not None:
        return round(length * 1000), ""
    if not text.lower().endswith(".wav"):
        help_ = f"write for example `{key}: 6s`, or a WAV file beside this one: `{key}: hello.wav`"
        raise Mistake(code, node, f"'{text}' is no length of time and no WAV file", help_)
    path = file_beside(node, text)
    try:
        return read_header(path).ms, str(path)
    except NotPlayableError as error:
        raise Mistake(code, node, f"'{text}' cannot be spoken: {error}", "the name is seen from this file") from None


def written(party: Party) -> str | dict[str, Any]:
    """A party as it is written in a calls file: read again, it is the same party."""
    if party == _party(party.does, AFTER_MS[party.does], Mapping_((), _NOWHERE)):
        return party.does
    told: dict[str, Any] = {party.does: f"after {_length(party.after_ms)}"}
    if party.rings_ms is not None and party.rings_ms != min(500, party.after_ms):
        told["rings"] = f"after {_length(party.rings_ms)}"
    if party.does == "rejects" and party.code != 603:
        told["code"] = str(party.code)
    talks = [(at, act) for at, act in party.acts if isinstance(act, Talk) and act.sound == "voice"]
    if party.does == "voicemail":
        told["greets"] = _spoken(talks[0][1])
    elif talks:
        told["talks"] = {_length(at): _spoken(act) for at, act in talks}
    keys = {_length(at): act.key for at, act in party.acts if isinstance(act, Key)}
    if keys:
        told["presses"] = keys
    ends = [at for at, act in party.acts if isinstance(act, HangUp)]
    return {**told, "hangs_up": f"after {_length(ends[0])}"} if ends else told


def _length(ms: int) -> str:
    return f"{ms}ms" if ms % 1000 else f"{ms // 1000}s"


def _spoken(talk: Talk) -> str:
    return talk.file or _length(talk.ms)


def file_beside(node: Node, name: str) -> Path:
    """A file whose name is seen from the file that names it."""
    return beside(node.span.file, name)


def beside(file: str, name: str) -> Path:
    """A file whose name is seen from *file*."""
    return Path(os.path.normpath((Path(file).parent / name).absolute()))
