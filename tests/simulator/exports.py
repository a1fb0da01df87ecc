"""Exports of bots as Lex V2 writes them: a zip with every field that a real one has, most of them null."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NOTHING: dict[str, Any] = {"sessionAttributes": None, "intent": {"name": None, "slots": None}, "dialogAction": None}


def messages(*texts: str, name: str = "messageGroupsList") -> dict[str, Any]:
    plain = [{"ssmlMessage": None, "customPayload": None, "plainTextMessage": {"value": text}} for text in texts]
    return {name: [{"message": message, "variations": None} for message in plain], "allowInterrupt": True}


def prompt(text: str, retries: int = 1, dtmf: Mapping[str, Any] | None = None) -> dict[str, Any]:
    keys = {"maxLength": 513, "endTimeoutMs": 5000, "deletionCharacter": "*", "endCharacter": "#", **(dtmf or {})}
    attempt = {
        "allowedInputTypes": {"allowAudioInput": True, "allowDTMFInput": True},
        "audioAndDTMFInputSpecification": {"startTimeoutMs": 4000, "dtmfSpecification": keys},
    }
    return {
        **messages(text),
        "maxRetries": retries,
        "messageSelectionStrategy": "Random",
        "promptAttemptsSpecification": {"Initial": attempt, "Retry1": attempt},
    }


def slot(name: str, kind: str, *, required: bool = True, **more: Any) -> dict[str, Any]:
    """*more*: ask, retries, dtmf, utterances, default."""
    utterances = [{"utterance": one} for one in more.get("utterances", ())]
    default = {"defaultValueList": [{"defaultValue": more["default"]}]} if "default" in more else None
    return {
        "name": name,
        "identifier": "ABCDEFGHIJ",
        "description": None,
        "slotTypeName": kind,
        "obfuscationSetting": None,
        "valueElicitationSetting": {
            "slotCaptureSetting": {"codeHook": None, "captureNextStep": NOTHING, "failureNextStep": NOTHING},
            "slotConstraint": "Required" if required else "Optional",
            "promptSpecification": prompt(more.get("ask", f"Your {name}?"), more.get("retries", 1), more.get("dtmf")),
            "defaultValueSpecification": default,
            "sampleUtterances": utterances or None,
            "waitAndContinueSpecification": None,
        },
        "multipleValuesSetting": None,
    }


def slot_type(name: str, values: Mapping[str, Sequence[str]] | None = None, **more: Any) -> dict[str, Any]:
    """*more*: parent, pattern, top."""
    listed = [
        {"sampleValue": {"value": value}, "synonyms": [{"value": one} for one in synonyms] or None}
        for value, synonyms in (values or {}).items()
    ]
    return {
        "name": name,
        "identifier": "ABCDEFGHIJ",
        "description": None,
        "slotTypeValues": listed or None,
        "parentSlotTypeSignature": more.get("parent"),
        "valueSelectionSetting": {
            "resolutionStrategy": "TOP_RESOLUTION" if more.get("top", bool(values)) else "ORIGINAL_VALUE",
            "advancedRecognitionSetting": None,
            "regexFilter": {"pattern": more["pattern"]} if "pattern" in more else None,
        },
    }


def intent(name: str, *utterances: str, **more: Any) -> dict[str, Any]:
    """*more*: parent, confirm, retries, declined, closing, opening, hook, slots (in the order of their priority)."""
    confirmation = None
    if "confirm" in more:
        confirmation = {
            "isActive": True,
            "promptSpecification": prompt(more["confirm"], more.get("retries", 1)),
            "declinationResponse": messages(more["declined"]) if "declined" in more else None,
            "declinationNextStep": NOTHING,
        }
    opening = {"initialResponse": messages(more["opening"]) if "opening" in more else None, "nextStep": NOTHING}
    closing = {"isActive": True, "closingResponse": messages(more.get("closing", "")), "nextStep": NOTHING}
    return {
        "name": name,
        "identifier": "ABCDEFGHIJ",
        "description": None,
        "parentIntentSignature": more.get("parent"),
        "sampleUtterances": [{"utterance": one} for one in utterances] or None,
        "intentConfirmationSetting": confirmation,
        "intentClosingSetting": closing if "closing" in more else None,
        "initialResponseSetting": opening,
        "inputContexts": None,
        "kendraConfiguration": None,
        "dialogCodeHook": {"enabled": bool(more.get("hook"))},
        "fulfillmentCodeHook": {"isActive": True, "enabled": bool(more.get("hook"))},
        "slotPriorities": [{"priority": at, "slotName": one} for at, one in enumerate(more.get("slots", ()))],
    }


def files(
    intents: Sequence[tuple[dict[str, Any], Sequence[dict[str, Any]]]],
    types: Sequence[dict[str, Any]] = (),
    *,
    name: str = "Travel",
    locale: str = "en_US",
    threshold: float = 0.4,
) -> dict[str, Any]:
    """The files of an export: what stands in each, by its name in the zip."""
    base = f"{name}/BotLocales/{locale}"
    found: dict[str, Any] = {
        "Manifest.json": {"metaData": {"schemaVersion": "1", "fileFormat": "LexJson", "resourceType": "BOT"}},
        f"{name}/Bot.json": {"name": name, "identifier": "ABCDEFGHIJ", "version": "DRAFT", "dataPrivacy": None},
        f"{base}/BotLocale.json": {"name": "x", "identifier": locale, "nluConfidenceThreshold": threshold},
        f"{base}/Intents/FallbackIntent/Intent.json": intent("FallbackIntent", parent="AMAZON.FallbackIntent"),
    }
    for one, slots in intents:
        found[f"{base}/Intents/{one['name']}/Intent.json"] = one
        found |= {f"{base}/Intents/{one['name']}/Slots/{each['name']}/Slot.json": each for each in slots}
    found |= {f"{base}/SlotTypes/{one['name']}/SlotType.json": one for one in types}
    return found


def packed(path: Path, contents: Mapping[str, Any]) -> Path:
    """The zip; a text or bytes are written as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in contents.items():
            archive.writestr(name, value if isinstance(value, str | bytes) else json.dumps(value))
    return path


def travel() -> dict[str, Any]:
    """A bot that books cars: values, numbers, dates, codes, free words, a confirmation."""
    book = intent(
        "BookCar",
        *("Book a car", "I need a {CarType}", "Book a {CarType} in {City} for {Days} days", "Reserve a car in {City}"),
        slots=["City", "CarType", "Days"],
        confirm="A {CarType} in {City} for {Days} days?",
        declined="I forget it.",
        closing="Booked.",
        opening="Gladly.",
    )
    slots = [
        slot("City", "AMAZON.City", ask="In which city?", utterances=["I want to drive in {City}"]),
        slot("CarType", "CarTypes", ask="Which car?", retries=2),
        slot("Days", "AMAZON.Number", ask="How many days?"),
    ]
    cancel = intent("CancelBooking", "Cancel booking {Code}", "I want to cancel", slots=["Code"], hook=True)
    codes = [slot("Code", "Codes", ask="Your code?", dtmf={"maxLength": 6})]
    agent = intent("Agent", "I want to talk to a person", "Operator", "Let me talk to somebody please")
    types = [
        slot_type("CarTypes", {"economy": ["cheap", "small car"], "luxury": ["expensive", "limousine"]}),
        slot_type("Codes", parent="AMAZON.AlphaNumeric", pattern="[A-Z]{2}[0-9]{4}|[0-9]{6}"),
    ]
    return files([(book, slots), (cancel, codes), (agent, [])], types)
