"""The dial-in call as a telephony developer would write it by hand: one function, if and elif, state in the attributes.

It answers the same events with the same actions as the compiled ``flows/dial-in.yaml`` (checked before anything is
timed), and it is honest: both languages, all retries, the PIN limit, keys in the meeting, the attendee's end. What it
lacks is what nobody writes by hand: late, repeated and overlapping events, sizes, checks of values, other revisions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Event = dict[str, Any]
Action = dict[str, Any]


class World(Protocol):
    """What the call needs from outside."""

    def verify_pin(self, conference: str, pin: str, caller: str) -> str: ...
    def open_meeting(self, conference: str) -> str: ...
    def attend(self, meeting: str) -> tuple[str, str]: ...
    def leave(self, meeting: str, attendee: str) -> None: ...


VOICES = {
    "en-US": {"VoiceId": "Joanna", "Engine": "neural", "LanguageCode": "en-US"},
    "es-US": {"VoiceId": "Lupe", "Engine": "neural", "LanguageCode": "es-US"},
}
PROMPTS = {
    "en-US": {
        "ask_conference": "Please enter your conference number, followed by the pound key.",
        "ask_pin": "Please enter your six-digit PIN.",
        "not_heard": "Sorry, I did not hear anything.",
        "not_valid": "Sorry, that is not a valid entry.",
        "wrong_pin": "That conference number and PIN do not match. Let us try again.",
        "too_many": "There were too many wrong entries. Please ask your host for the PIN, and call again later.",
        "not_open": "This conference is not open at the moment.",
        "joining": "You are joining the meeting. Press star 6 to mute yourself, and star 7 to speak again.",
        "muted": "You are muted.",
        "unmuted": "You can be heard again.",
        "sorry": "We are sorry. There is a technical problem.",
        "goodbye": "Thank you for calling. Goodbye.",
    },
    "es-US": {
        "ask_conference": "Por favor, marque su número de conferencia, seguido de la tecla numeral.",
        "ask_pin": "Por favor, marque su clave de seis dígitos.",
        "not_heard": "Disculpe, no recibí ninguna tecla.",
        "not_valid": "Disculpe, lo que marcó no es válido.",
        "wrong_pin": "El número de conferencia y la clave no coinciden. Intentémoslo de nuevo.",
        "too_many": "Ha habido demasiados intentos fallidos. Pida la clave a su anfitrión y vuelva a llamar más tarde.",
        "not_open": "Esta conferencia no está abierta en este momento.",
        "joining": "Está entrando en la reunión. Oprima asterisco 6 para silenciar su micrófono, "
        "y asterisco 7 para volver a hablar.",
        "muted": "Su micrófono está silenciado.",
        "unmuted": "Ya le pueden oír de nuevo.",
        "sorry": "Lo sentimos. Hay un problema técnico.",
        "goodbye": "Gracias por llamar. Hasta luego.",
    },
}
LANGUAGE = (
    "<speak>Welcome to the conference line. For English, press 1. "
    '<lang xml:lang="es-US">Para español, oprima el 2.</lang></speak>'
)
MAX_DIGITS = {"language": 1, "ask_conference": 10, "ask_pin": 6}


def speak(leg: str, name: str, locale: str) -> Action:
    return {"Type": "Speak", "Parameters": {"CallId": leg, "Text": PROMPTS[locale][name], **VOICES[locale]}}


def hang_up(leg: str) -> Action:
    return {"Type": "Hangup", "Parameters": {"CallId": leg, "SipResponseCode": "0"}}


def bye(leg: str, locale: str, *names: str) -> list[Action]:
    return [*(speak(leg, name, locale) for name in names), speak(leg, "goodbye", locale), hang_up(leg)]


def ask(leg: str, state: Event, words: str = "") -> Action:
    name, locale = state["at"], state["locale"]
    text = LANGUAGE if name == "language" else PROMPTS[locale][name]
    voice = VOICES[locale]
    speech = {"Text": text, **voice}
    if name == "language":
        speech["TextType"] = "ssml"
        if words:
            speech["Text"] = f"<speak>{PROMPTS[locale][words]} {text[7:]}"
    elif words:
        speech["Text"] = f"{PROMPTS[locale][words]} {text}"
    if int(state.get("tries", "0")) < 2:
        failure = {"TextType": "text", "Text": PROMPTS[locale]["not_heard"], **voice}
    else:
        failure = {"TextType": "ssml", "Text": '<speak><break time="100ms"/></speak>'}
    return {
        "Type": "SpeakAndGetDigits",
        "Parameters": {
            "CallId": leg,
            "MaxNumberOfDigits": MAX_DIGITS[name],
            "MinNumberOfDigits": 1,
            "Repeat": 1,
            "TerminatorDigits": ["#"],
            "InBetweenDigitsDurationInMilliseconds": 3000,
            # Every second question lasts a millisecond longer, to tell a late copy of the report before from this one.
            "RepeatDurationInMilliseconds": 5000 + int(state["answers"]) % 2,
            "SpeechParameters": speech,
            "FailureSpeechParameters": failure,
        },
    }


def listen(leg: str) -> Action:
    return {
        "Type": "ReceiveDigits",
        "Parameters": {
            "CallId": leg,
            "InputDigitsRegex": r"^(\*6|\*7)$",
            "InBetweenDigitsDurationInMilliseconds": 1000,
            "FlushDigitsDurationInMilliseconds": 10000,
        },
    }


def handler(world: World) -> Callable[[Event], Event]:
    """The function that the service invokes."""

    def handle(event: Event) -> Event:
        kind = event["InvocationEventType"]
        details = event["CallDetails"]
        people = details["Participants"]
        caller = next(p for p in people if p["ParticipantTag"] == "LEG-A")
        leg = caller["CallId"]
        state = dict(details.get("TransactionAttributes") or {"at": "", "locale": "en-US", "answers": "0"})
        data = event.get("ActionData") or {}
        at, locale = state["at"], state["locale"]
        actions: list[Action] | None = None

        if kind == "NEW_INBOUND_CALL":
            state["at"] = "language"
            actions = [ask(leg, state)]

        elif kind == "ACTION_SUCCESSFUL":
            did = data["Type"]
            digits = data.get("ReceivedDigits", "").rstrip("#")
            if did == "SpeakAndGetDigits" and at == "language":
                if digits in ("1", "2"):
                    state["locale"] = "en-US" if digits == "1" else "es-US"
                    state.pop("tries", None)
                    state["at"] = "ask_conference"
                    actions = [ask(leg, state)]
                else:
                    actions = again(leg, state, "not_valid")
            elif did == "SpeakAndGetDigits" and at == "ask_conference":
                if 6 <= len(digits) <= 10 and digits.isdigit():
                    state["conference"] = digits
                    state.pop("tries", None)
                    state["at"] = "ask_pin"
                    actions = [ask(leg, state)]
                else:
                    actions = again(leg, state, "not_valid")
            elif did == "SpeakAndGetDigits" and at == "ask_pin":
                if len(digits) != 6 or not digits.isdigit():
                    actions = again(leg, state, "not_valid")
                else:
                    state.pop("tries", None)
                    actions = check(leg, state, world, digits, caller["From"])
            elif did == "JoinChimeMeeting":
                state["at"] = "meeting"
                actions = [listen(leg)]
            elif did == "ModifyChimeMeetingAttendees":
                actions = [speak(leg, "muted" if state.get("muted") else "unmuted", locale)]
            elif did == "Speak" and at == "meeting":
                actions = [listen(leg)]

        elif kind == "ACTION_FAILED":
            if at == "meeting":
                pass  # the meeting goes on
            elif data["Type"] == "SpeakAndGetDigits" and data.get("ErrorType") == "InvalidDigitsReceived":
                actions = again(leg, state, "")
            elif state.get("failed") or data["Type"] == "Hangup":
                actions = [hang_up(leg)]
            else:
                state["failed"] = "1"
                actions = bye(leg, locale, "sorry")

        elif kind == "DIGITS_RECEIVED" and at == "meeting":
            other = next((p for p in people if p["ParticipantTag"] == "LEG-B" and p["Status"] == "Connected"), None)
            keys = data["ReceivedDigits"]
            if other is not None and keys in ("*6", "*7"):
                state["muted"] = "1" if keys == "*6" else ""
                params = {
                    "CallId": other["CallId"],
                    "Operation": "Mute" if keys == "*6" else "Unmute",
                    "MeetingId": state["meeting"],
                    "AttendeeList": [state["attendee"]],
                }
                actions = [listen(leg), {"Type": "ModifyChimeMeetingAttendees", "Parameters": params}]

        elif kind == "HANGUP":
            alive = [p for p in people if p.get("Status") != "Disconnected"]
            if not alive:
                if state.get("attendee") and not state.get("left"):
                    world.leave(state["meeting"], state["attendee"])
                    state["left"] = "1"
            elif data["Parameters"]["ParticipantTag"] == "LEG-B":
                state["at"] = "end"
                actions = bye(leg, locale)
            else:
                actions = [hang_up(p["CallId"]) for p in alive]

        if actions is None and kind != "HANGUP":
            return {"SchemaVersion": "1.0"}
        state["answers"] = str(int(state["answers"]) + 1)
        response: Event = {"SchemaVersion": "1.0", "TransactionAttributes": state}
        if actions:
            response["Actions"] = actions
        return response

    return handle


def again(leg: str, state: Event, words: str) -> list[Action]:
    """Another attempt at the question, with other words; after three of them the call goes on without an answer."""
    tries = int(state.get("tries", "0")) + 1
    if tries < 3:
        state["tries"] = str(tries)
        return [ask(leg, state, words)]
    state.pop("tries", None)
    if state["at"] == "language":
        state["at"] = "ask_conference"
        return [ask(leg, state)]
    state["at"] = "end"
    return bye(leg, state["locale"])


def check(leg: str, state: Event, world: World, pin: str, caller: str) -> list[Action]:
    """PIN, meeting, attendee; then the caller joins."""
    locale = state["locale"]
    found = world.verify_pin(state["conference"], pin, caller)
    if found == "wrong":
        wrong = int(state.get("wrong", "0")) + 1
        state["wrong"] = str(wrong)
        if wrong >= 3:
            found = "limited"
    if found == "wrong":
        state["at"] = "ask_conference"
        return [speak(leg, "wrong_pin", locale), ask(leg, state)]
    if found != "ok":
        state["at"] = "end"
        return bye(leg, locale, "not_open" if found == "closed" else "too_many" if found == "limited" else "sorry")
    state["meeting"] = world.open_meeting(state.pop("conference"))
    state["attendee"], token = world.attend(state["meeting"])
    state["at"] = "join"
    params = {"CallId": leg, "JoinToken": token, "MeetingId": state["meeting"]}
    return [speak(leg, "joining", locale), {"Type": "JoinChimeMeeting", "Parameters": params}]
