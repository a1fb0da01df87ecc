"""States that talk and listen on the caller's leg: say, play, gather, menu, record, bot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sma_flows.protocol.actions import InvalidActionError, bot_alias, bucket_and_key
from sma_flows.runtime.frame import SILENT_FILE, SILENT_WORDS
from sma_flows.runtime.nodes.base import Listener, Made, Node, Talk, ready
from sma_flows.runtime.speech import File, Spoken, one_speech

if TYPE_CHECKING:
    from sma_flows.protocol.actions import Action
    from sma_flows.runtime.frame import Frame
    from sma_flows.runtime.program import FlowProgram

NOT_INPUT: Final = frozenset(
    (
        "InvalidActionParameter",
        "SystemException",
        "AccessDenied",
        "ActionExecutionThrottled",
        "MissingRequiredActionParameter",
        "InvalidAudioSource",
    )
)
"""Errors of a digit action that say nothing about the caller. Every other code means: no valid input (contract 4.7)."""


class SayNode(Node):
    """Words, then on to the next state in the same list."""

    __slots__ = ("talk",)

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.talk = Talk(state, self)

    def work(self, frame: Frame) -> str | None:
        """Append the words and go on: the outcome `done` follows when the list has run."""
        if frame.line_dead:
            return None  # nobody can hear it: the flow ends here
        actions = self.before(frame) + self.talk.actions(frame)
        if not actions:
            return frame.leave(self, "done" if frame.legs(self.talk.leg) else "failed")
        if not frame.add(self, actions):
            return None
        target = frame.leave(self, "done")
        if self.name in self.flow.stops and target is not None:
            frame.call.then = target
            return None
        return target


class PlayNode(SayNode):
    """A file; with keys in the background it is a state of its own."""

    __slots__ = ("listener",)

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.listener = Listener(state["listen"]) if "listen" in state else None

    def work(self, frame: Frame) -> str | None:
        """As `say`; with keys the walk stops here and the listener is registered first."""
        if self.listener is None:
            return super().work(frame)
        if not frame.add(self, self.before(frame) + self.talk.actions(frame)):
            return None
        frame.listen(self)
        frame.head = self.listener.arm(frame)  # its own keys, also where a key of another state led here
        return None


class Question(Node):
    """The common part of gather and menu: ask, count attempts, tell silence from a wrong entry."""

    listens = True
    __slots__ = (
        "_made",
        "accept",
        "attempts",
        "constant",
        "encoding",
        "fixed",
        "locale",
        "no_input",
        "no_match",
        "terminators",
        "times",
    )

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.times: int = state.get("times", 0)
        self.encoding: str = state.get("encoding", "runtime")
        self.terminators: str = "".join(state.get("terminators", ()))
        self.accept = re.compile(state["regex"])
        self.no_input = state.get("no_input")
        self.no_match = state.get("no_match")
        self.locale = flow.value(state["locale"]) if state.get("locale") is not None else None
        self.attempts = f"a:{name}"
        fixed: dict[str, Any] = {"MaxNumberOfDigits": state["max"]}
        if self.encoding == "service":
            fixed["InputDigitsRegex"] = state["regex"]
            fixed["MinNumberOfDigits"] = state["min"]
            fixed["Repeat"] = self.times + 1
        else:
            fixed["MinNumberOfDigits"] = 1
            fixed["Repeat"] = 1
        if self.terminators:
            fixed["TerminatorDigits"] = list(self.terminators)
        fixed["InBetweenDigitsDurationInMilliseconds"] = state["gap"]
        self.fixed = fixed
        self.constant = all(
            flow.speech.constant(items or ()) for items in (state["items"], self.no_input, self.no_match)
        )
        self._made: dict[tuple[str | None, int, bool, int], list[Made]] = {}

    def work(self, frame: Frame) -> str | None:
        """Ask for the first time (again). Only the question that is asked has a count of attempts."""
        if frame.counters:
            for name in [name for name in frame.counters if name.startswith("a:")]:
                del frame.counters[name]
        return self.question(frame, 0, None)

    def question(self, frame: Frame, attempt: int, words: Any) -> str | None:
        """Send the question of *attempt*, with *words* in front of it."""
        locale = self.locale(frame) if self.locale is not None else frame.locale()
        if frame.watch is not None:
            frame.watch.append(("attempt", self.name, str(attempt + 1), ""))
        # One millisecond more on every second answer: a late copy of the report to the question before is told from
        # the report to this one by its echo (decision 9; docs/decisions/0006).
        odd = frame.call.n & 1
        actions = self.before(frame) if self.pre and attempt == 0 else []
        leg = frame.leg("A")
        if self.constant:
            key = (locale, attempt, words is None, odd)
            made = self._made.get(key)
            if made is None:
                made = self._made[key] = [ready(action) for action in self._render(frame, locale, attempt, words, odd)]
            if len(made) == 1 and not actions and not frame.actions and not frame.line_dead:
                make, _, tail = made[0]
                frame.begin(self, make(leg), tail)  # the usual case: one constant question and nothing before it
                frame.listen(self)
                return None
            actions += [("A", make(leg), digest) for make, digest, _ in made]
        else:
            for action in self._render(frame, locale, attempt, words, odd):
                actions.append(("A", {"Type": action["Type"], "Parameters": {**leg, **action["Parameters"]}}, ""))
        if frame.add(self, actions):
            frame.listen(self)
        return None

    def _render(self, frame: Frame, locale: str | None, attempt: int, words: Any, odd: int) -> list[Action]:
        speech = self.flow.speech
        items = self.state["items"] if not words else [*words, *self.state["items"]]
        front, last = one_speech(frame, speech.pieces(frame, items, self.prefix, locale, attempt))
        actions = speech.talk(frame, front, {})
        failure = self._failure_words(frame, locale, attempt, last)
        fixed = self.fixed.copy()
        fixed["RepeatDurationInMilliseconds"] = self.state["timeout"] + 2 * self.state.get("tick", 0) + odd
        if isinstance(last, Spoken):
            fixed["SpeechParameters"] = last.params()
            fixed["FailureSpeechParameters"] = failure
            actions.append({"Type": "SpeakAndGetDigits", "Parameters": fixed})
        else:
            fixed["AudioSource"] = last.source()
            fixed["FailureAudioSource"] = failure
            actions.append({"Type": "PlayAudioAndGetDigits", "Parameters": fixed})
        return actions

    def _failure_words(self, frame: Frame, locale: str | None, attempt: int, question: Spoken | File) -> dict[str, str]:
        """What the service plays after an attempt without input: the flow's words, or silence after the last one."""
        words = self.no_input if self.encoding == "service" or attempt < self.times else None
        if self.encoding == "service" and self.times == 0:
            words = None
        piece = self._one_piece(frame, words, locale) if words else None
        if isinstance(question, Spoken):
            if isinstance(piece, Spoken):
                return {"TextType": "ssml" if piece.ssml else "text", **piece.params()}
            return {"Text": SILENT_WORDS, "TextType": "ssml"}
        if isinstance(piece, File):
            return piece.source()
        return File(question.bucket or self.flow.speech.bucket, SILENT_FILE).source()

    def _one_piece(self, frame: Frame, words: Any, locale: str | None) -> Spoken | File | None:
        pieces = self.flow.speech.pieces(frame, words, self.prefix, locale)
        if len(pieces) != 1:
            return None
        piece = pieces[0]
        return None if isinstance(piece, Spoken) and len(piece.text) > 1000 else piece

    def success(self, frame: Frame) -> str | None:
        """Digits arrived: take them, or count a wrong entry."""
        digits = frame.event.digits
        if self.terminators:  # not part of the digits, and stripped where the service should send it (D14)
            digits = digits.rstrip(self.terminators)
        if self.accept.fullmatch(digits):
            frame.counters.pop(self.attempts, None)
            return self.accepted(frame, digits)
        if self.encoding == "service":
            return self._over(frame, "no_match")
        return self._again(frame, "no_match", self.no_match)

    def accepted(self, frame: Frame, digits: str) -> str | None:
        """A valid entry."""
        raise NotImplementedError

    def failure(self, frame: Frame) -> str | None:
        """No valid input, or a technical failure."""
        event = frame.event
        code = event.error_type
        ours = event.action in ("SpeakAndGetDigits", "PlayAudioAndGetDigits")
        # SpeakAndGetDigits has no audio source: there the guide's own example shows the code for a missing input.
        if not ours or (code in NOT_INPUT and not (code == "InvalidAudioSource" and event.action[0] == "S")):
            return frame.leave(self, "failed")
        if self.encoding == "service":
            return self._over(frame, "no_input")
        words = None if self._heard_already(frame) else self.no_input
        return self._again(frame, "no_input", words)

    def _heard_already(self, frame: Frame) -> bool:
        """Whether the service played the words itself, as failure prompt of the attempt."""
        if not self.no_input:
            return True
        locale = self.locale(frame) if self.locale is not None else frame.locale()
        try:
            piece = self._one_piece(frame, self.no_input, locale)
        except InvalidActionError:
            return True
        return isinstance(piece, Spoken) == (frame.event.action == "SpeakAndGetDigits") and piece is not None

    def _again(self, frame: Frame, outcome: str, words: Any) -> str | None:
        attempt = frame.counters.get(self.attempts, 0) + 1
        if attempt > self.times:
            return self._over(frame, outcome)
        frame.counters[self.attempts] = attempt
        return self.question(frame, attempt, words)

    def _over(self, frame: Frame, outcome: str) -> str | None:
        frame.counters.pop(self.attempts, None)
        return frame.leave(self, outcome)


class GatherNode(Question):
    """Digits into a variable."""

    __slots__ = ()

    def accepted(self, frame: Frame, digits: str) -> str | None:
        """Store the digits (a secret stays in this invocation) and go on."""
        frame.vars[self.state["var"]] = digits
        return frame.leave(self, "done")


class MenuNode(Question):
    """One key, or a few, that lead somewhere."""

    __slots__ = ()

    def accepted(self, frame: Frame, digits: str) -> str | None:
        """Follow the key."""
        keys = self.state["keys"]
        key = digits if digits in keys else "digit"
        target = keys.get(key)
        if target is None:
            return self._over(frame, "no_match")
        if frame.watch is not None:
            frame.watch.append(("outcome", self.name, key, target))
        frame.vars["key.digits"] = digits
        frame.vars["key.leg"] = "A"
        return str(target)


class RecordNode(Node):
    """A message into a bucket."""

    listens = True
    main = "recorded"
    __slots__ = ("to",)

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.to = flow.value(state["to"])

    def work(self, frame: Frame) -> str | None:
        """(Beep and) record."""
        state = self.state
        bucket, prefix = bucket_and_key(self.to(frame))
        destination = {"Type": "S3", "BucketName": bucket}
        if prefix:
            destination["Prefix"] = prefix
        leg = frame.leg("A")
        params: dict[str, Any] = {
            **leg,
            "DurationInSeconds": state["max"],
            "RecordingTerminators": list(state["terminators"]),
            "RecordingDestination": destination,
        }
        if state.get("silence"):
            params["SilenceDurationInSeconds"] = state["silence"]
            params["SilenceThreshold"] = state.get("level", 200)
        actions = self.before(frame)
        if state.get("beep"):
            pieces = self.flow.speech.pieces(frame, state["beep"], self.prefix, frame.locale())
            actions.extend(("A", action, "") for action in self.flow.speech.talk(frame, pieces, leg))
        actions.append(("A", {"Type": "RecordAudio", "Parameters": params}, ""))
        if frame.add(self, actions):
            frame.listen(self)
        return None

    def success(self, frame: Frame) -> str | None:
        """Keep where the recording is."""
        where = frame.event.data.get("RecordingDestination")
        where = where if isinstance(where, dict) else {}
        bucket, key = where.get("BucketName"), where.get("Key")
        if not isinstance(bucket, str) or not isinstance(key, str) or not key or len(key) > 1024 or len(bucket) > 63:
            return frame.leave(self, "failed")
        recording = {"bucket": bucket, "key": key}
        ended_by = frame.event.data.get("RecordingTerminatorUsed")
        if isinstance(ended_by, str) and ended_by:
            recording["ended_by"] = ended_by[:1]
        frame.vars[self.state["var"]] = recording
        return frame.leave(self, "recorded")


class BotNode(Node):
    """A Lex V2 conversation; the intent that ended it is the outcome."""

    listens = True
    main = "other"
    __slots__ = ("alias", "attributes", "locale")

    MOST = 10_000
    """Bytes of the configuration. Contract 4.16: 10 KB."""

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.alias = flow.value(state["alias"])
        self.locale = flow.value(state["locale"]) if state.get("locale") is not None else None
        given = state.get("attributes")
        if isinstance(given, dict):
            self.attributes = {key: flow.value(value) for key, value in given.items()}
        else:
            self.attributes = {"": flow.value(given)} if given else {}

    def work(self, frame: Frame) -> str | None:
        """Hand the caller to the bot."""
        speech = self.flow.speech
        locale = self.locale(frame) if self.locale is not None else frame.locale()
        params: dict[str, Any] = {**frame.leg("A"), "BotAliasArn": bot_alias(self.alias(frame))}
        bot_locale = speech.bot_locale(self.prefix, locale)
        if bot_locale:
            params["LocaleId"] = bot_locale
        session: dict[str, Any] = {}
        attributes = self._attributes(frame)
        if attributes:
            session["SessionAttributes"] = attributes
        configuration: dict[str, Any] = {}
        if self.state.get("welcome"):
            session["DialogAction"] = {"Type": "ElicitIntent"}
            pieces = speech.pieces(frame, self.state["welcome"], self.prefix, locale)
            configuration["WelcomeMessages"] = [
                {"Content": p.text, "ContentType": "SSML" if p.ssml else "PlainText"}
                for p in pieces
                if isinstance(p, Spoken)
            ]
        if session:
            configuration["SessionState"] = session
        if configuration:
            import json

            if len(json.dumps(configuration)) > self.MOST:
                raise InvalidActionError("the bot's configuration is too large")
            params["Configuration"] = configuration
        if frame.add(self, [*self.before(frame), ("A", {"Type": "StartBotConversation", "Parameters": params}, "")]):
            frame.listen(self)
        return None

    def _attributes(self, frame: Frame) -> dict[str, str]:
        from sma_flows.runtime.values import show

        out: dict[str, str] = {}
        for key, value in self.attributes.items():
            found = value(frame)
            if not key:
                out.update(found if isinstance(found, dict) else {})
            elif found is not None:
                out[key] = show(found)
        return out

    def success(self, frame: Frame) -> str | None:
        """Read the result; a slot may be missing or null (contract 4.16)."""
        intent, attributes = bot_result(frame.event.data)
        name = intent.get("Name")
        name = name if isinstance(name, str) else None
        slots = {key: slot_value(slot) for key, slot in _dict(intent.get("Slots")).items()}
        values = frame.vars
        values["bot.intent"] = name
        values["bot.state"] = intent.get("State") if isinstance(intent.get("State"), str) else None
        values["bot.slots"] = slots
        values["bot.attributes"] = attributes
        for variable, (group, key) in self.state.get("into", {}).items():
            self.flow.assign(frame, variable, (slots if group == "slots" else attributes).get(key))
        if name is not None and name in self.next and name not in ("failed", "other"):
            return frame.leave(self, name)
        return frame.leave(self, "other")


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def bot_result(data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Intent and session attributes of a finished conversation; empty where the event has none."""
    state = _dict(_dict(data.get("IntentResult")).get("SessionState"))
    attributes = {k: v for k, v in _dict(state.get("SessionAttributes")).items() if isinstance(v, str)}
    return _dict(state.get("Intent")), attributes


def slot_value(slot: object) -> str | None:
    """What a slot holds: the interpreted value, else what was said; unfilled slots are unset."""
    value = _dict(_dict(slot).get("Value"))
    for key in ("InterpretedValue", "OriginalValue"):
        found = value.get(key)
        if isinstance(found, str) and found:
            return found
    return None
