"""What can be typed at the telephone, in the line mode and in the terminal alike."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sma_flows.flow.diagnostics import did_you_mean
from sma_flows.phone.handset import Handset, HandsetError
from sma_flows.phone.save import save_call
from sma_flows.testing.session import BREAKABLE
from sma_flows.testing.stubs import seconds

__all__ = ["COMMANDS", "Command", "help_text", "run"]

KEYS: Final = re.compile(r"[0-9*#A-D]+")


@dataclass(frozen=True, slots=True)
class Command:
    """One command: how it is written, what it does, and whether it belongs to the call or to the telephone."""

    usage: str
    says: str
    work: Callable[[Handset, list[str]], str]
    deed: bool = True


def run(handset: Handset, line: str) -> str:
    """Carry out one typed line; what to tell the person who typed it (empty: the transcript says it).

    Raises:
        HandsetError: it cannot be understood or done; the text says what to type.
    """
    text = line.strip()
    if not text:
        handset.listen()
        return ""
    if KEYS.fullmatch(text):
        handset.do("press", text)
        return ""
    try:
        word, *rest = shlex.split(text)
    except ValueError as error:
        raise HandsetError(f"the line cannot be read ({error}): close the quotes") from None
    command = COMMANDS.get(_OTHER_WORDS.get(word, word))
    if command is None:
        raise HandsetError(did_you_mean(word, list(COMMANDS)) or f"there is no command '{word}': type help")
    return command.work(handset, rest)


def help_text() -> str:
    """All commands, one line each."""
    width = max(len(command.usage) for command in COMMANDS.values())
    rows = [f"  {command.usage:<{width}}  {command.says}" for command in COMMANDS.values()]
    return "\n".join(["Type keys to press them (1234#), or:", *rows])


# ---- deeds ----------------------------------------------------------------------------------------------------------


def _press(handset: Handset, words: list[str]) -> str:
    keys = "".join(words).replace("star", "*").replace("pound", "#")
    if not KEYS.fullmatch(keys):
        raise HandsetError("which keys? write for example: press 1234#")
    handset.do("press", keys)
    return ""


def _silence(handset: Handset, words: list[str]) -> str:
    times = (words[0] if words else "1").rstrip("x")
    if not re.fullmatch(r"[1-9]\d?", times):
        raise HandsetError("how many questions stay unanswered? write for example: silence 2")
    handset.do("silence", int(times))
    return ""


def _lasting(kind: str) -> Callable[[Handset, list[str]], str]:
    def work(handset: Handset, words: list[str]) -> str:
        length = seconds(words[0]) if len(words) == 1 else None
        if length is None:
            raise HandsetError(f"how long? write for example: {kind} 5s")
        handset.do(kind, length)
        return ""

    return work


def _speak(handset: Handset, words: list[str]) -> str:
    if len(words) == 1 and words[0].lower().endswith(".wav"):
        handset.do("speak", str(Path(words[0]).absolute()))
        return ""
    return _lasting("speak")(handset, words)


def _say(handset: Handset, words: list[str]) -> str:
    if not words:
        raise HandsetError("what do you say? write for example: say I have a question about my bill")
    handset.do("say_to_bot", [" ".join(words)])
    return ""


def _listen(handset: Handset, _words: list[str]) -> str:
    handset.listen()
    return ""


def _bot(handset: Handset, words: list[str]) -> str:
    if not words:
        raise HandsetError("what did the bot understand? write for example: bot Billing Topic=invoice, or: bot failed")
    if words == ["failed"]:
        handset.do("bot", "failed")
        return ""
    handset.do("bot", {"intent": words[0], "slots": _pairs(words[1:])})
    return ""


def _callee(handset: Handset, words: list[str]) -> str:
    if len(words) == 1 and KEYS.fullmatch(words[0]):
        handset.do("callee_press", words[0])
    elif len(words) == 1 and words[0] in ("answers", "no_answer", "busy", "hangs_up"):
        handset.do("callee", words[0])
    else:
        raise HandsetError("what does the called party do? answers, no_answer, busy, hangs_up, or keys")
    return ""


def _meeting(handset: Handset, words: list[str]) -> str:
    if words not in ([], ["ends"]):
        raise HandsetError("a meeting can only end: meeting ends")
    handset.do("meeting", "ends")
    return ""


def _update(handset: Handset, words: list[str]) -> str:
    handset.do("update", _pairs(words))
    return ""


def _fail(handset: Handset, words: list[str]) -> str:
    if len(words) != 1 or words[0] not in BREAKABLE:
        raise HandsetError(f"what fails next? {', '.join(BREAKABLE)}")
    handset.do("fail", words[0])
    return f"The next {words[0]} will fail."


def _repeat(handset: Handset, _words: list[str]) -> str:
    handset.do("repeat", "event")
    return "The last event came again and was answered the same."


def _hang_up(handset: Handset, words: list[str]) -> str:
    words = [word for word in words if word != "up"]
    if words not in ([], ["caller"], ["callee"]):
        raise HandsetError("who hangs up? caller or callee")
    handset.do("hangup", words[0] if words else "caller")
    return ""


def _pairs(words: list[str]) -> Mapping[str, Any]:
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise HandsetError(f"'{word}' is not NAME=VALUE; with spaces: NAME=\"two words\"")
        found[name] = value
    return found


# ---- the telephone --------------------------------------------------------------------------------------------------


def _back(handset: Handset, words: list[str]) -> str:
    handset.back(_number(words, 1))
    return f"Back at step {len(handset.deeds)}."


def _jump(handset: Handset, words: list[str]) -> str:
    handset.jump(_number(words, 0))
    return f"At step {len(handset.deeds)} of {len(handset.deeds) + len(handset.ahead)}."


def _number(words: list[str], default: int) -> int:
    if not words:
        return default
    if len(words) != 1 or not words[0].isdecimal():
        raise HandsetError("how many? write a number")
    return int(words[0])


def _fork(handset: Handset, words: list[str]) -> str:
    old = handset.branch
    return f"This is '{handset.fork(' '.join(words))}' now; '{old}' is kept (go {old})."


def _go(handset: Handset, words: list[str]) -> str:
    handset.go(" ".join(words))
    return f"This is '{handset.branch}', at step {len(handset.deeds)}."


def _calls(handset: Handset, _words: list[str]) -> str:
    rows = [f"* {handset.branch}: {len(handset.deeds)} steps"]
    return "\n".join([*rows, *(f"  {name}: {len(deeds)} steps" for name, deeds in handset.branches.items())])


def _steps(handset: Handset, _words: list[str]) -> str:
    path = [*handset.deeds, *handset.ahead]
    rows = [f"{'*' if place == len(handset.deeds) else ' '} {place:>3}  {deed}" for place, deed in enumerate(path, 1)]
    return "\n".join([f"{' ' if handset.deeds else '*'}   0  (the call begins)", *rows])


def _save(handset: Handset, words: list[str]) -> str:
    if not words:
        raise HandsetError("where? write for example: save flows/calls/mine.calls.yaml right PIN")
    name = " ".join(words[1:]) or f"{handset.flow.stem} by hand"
    path = save_call(handset, Path(words[0]), name)
    return f"Saved as '{name}' in {path}, and played once: it goes as you made it. Keys are in it as you typed them."


def _state(handset: Handset, _words: list[str]) -> str:
    rows = [f"state   {handset.state}", f"now     {handset.now_s:.1f} s, {handset.waits_for}"]
    rows += [f"leg     {leg}" for leg in handset.legs]
    return "\n".join([*rows, *(f"timer   {timer}" for timer in handset.timers)])


def _vars(handset: Handset, _words: list[str]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in handset.variables.items()) or "no variables are set"


def _help(_handset: Handset, _words: list[str]) -> str:
    return help_text()


COMMANDS: Final[Mapping[str, Command]] = {
    "press": Command("press KEYS", "press keys: press 1234#", _press),
    "silence": Command("silence [N]", "leave the next N questions unanswered", _silence),
    "speak": Command("speak 5s", "speak into a recording; or say what is in a file: speak hello.wav", _speak),
    "wait": Command(
        "wait 20s", "let time pass; what follows happens in the middle of whatever goes on", _lasting("wait")
    ),
    "listen": Command("listen", "after a wait or a speech: listen to the end (an empty line does it, too)", _listen),
    "say": Command("say WORDS", "say something to the bot (--bot names its export)", _say),
    "bot": Command("bot INTENT [Slot=Value ...]", "the bot has understood this; or: bot failed", _bot),
    "callee": Command("callee WHAT", "the called party: answers, no_answer, busy, hangs_up, or presses keys", _callee),
    "meeting": Command("meeting ends", "the meeting is over", _meeting),
    "update": Command("update NAME=VALUE ...", "an update from outside", _update),
    "fail": Command("fail VERB", "the service cannot do the next action of that verb", _fail),
    "repeat": Command("repeat", "the service sends the last event again", _repeat),
    "hangup": Command("hangup [callee]", "hang up", _hang_up),
    "back": Command("back [N]", "take back the last N steps", _back, deed=False),
    "jump": Command("jump N", "go to the place after step N; 0 is the beginning of the call", _jump, deed=False),
    "fork": Command("fork [NAME]", "keep this call and go on in a copy", _fork, deed=False),
    "go": Command("go NAME", "go to a call that was kept", _go, deed=False),
    "calls": Command("calls", "the calls that were kept", _calls, deed=False),
    "steps": Command("steps", "what was done so far, and what was taken back", _steps, deed=False),
    "state": Command("state", "where the call stands: state, legs, timers", _state, deed=False),
    "vars": Command("vars", "the flow's variables", _vars, deed=False),
    "save": Command("save FILE [NAME]", "write the call into a *.calls.yaml file, as a test", _save, deed=False),
    "help": Command("help", "this list", _help, deed=False),
}

_OTHER_WORDS: Final = {"hang": "hangup", "h": "help", "?": "help", "undo": "back", "b": "back", "s": "silence"}
