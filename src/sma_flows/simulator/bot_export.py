"""A Lex V2 bot out of its export: the zip of ``lexv2-models create_export``, or the folder that it unpacks to.

The layout is that of the developer guide (import-export-format); real exports write some names differently, and both
spellings are read: ``messageGroupsList`` or ``messageGroupList``, ``valueElicitationSetting`` or
``slotValueElicitationSetting``, the constraint inside or beside it, ``promptSpecification`` or ``confirmationPrompt``.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sma_flows.errors import SmaFlowsError

__all__ = ["Bot", "BotExportError", "Dtmf", "Intent", "Locale", "Prompt", "Slot", "SlotType", "load_bot"]

FALLBACK: Final = "AMAZON.FallbackIntent"
MOST_FILES: Final = 20_000
MOST_BYTES: Final = 50_000_000
"""Limits of an export: 50 MB unpacked (Lex quotas: 20 intents times 1,500 utterances stay far below)."""

_SLOT: Final = re.compile(r"\{([A-Za-z][A-Za-z0-9_-]*)\}")


class BotExportError(SmaFlowsError):
    """An export that cannot be read: the text names the file in it, and what is wrong or missing there."""


@dataclass(frozen=True, slots=True)
class Dtmf:
    """How keys end up as an answer: the key that ends and the one that deletes, most keys, the gap that ends them."""

    end: str = "#"
    delete: str = "*"
    most: int = 513
    gap_ms: int = 5_000


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the bot asks (``{Slot}`` inserts a value), how often again, and how keys answer it."""

    text: str
    retries: int = 0
    dtmf: Dtmf = field(default_factory=Dtmf)


@dataclass(frozen=True, slots=True)
class SlotType:
    """Values with their synonyms, or a built-in *parent* with a pattern. ``top``: only the values themselves count."""

    name: str
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    parent: str = ""
    pattern: str = ""
    top: bool = True


@dataclass(frozen=True, slots=True)
class Slot:
    """What an intent wants to know. ``utterances`` are answers with more words around the value."""

    name: str
    type: SlotType
    required: bool = False
    prompt: Prompt = field(default_factory=lambda: Prompt(""))
    utterances: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a caller may want; its slots in the order of their priority."""

    name: str
    parent: str = ""
    utterances: tuple[str, ...] = ()
    slots: tuple[Slot, ...] = ()
    opening: str = ""
    confirmation: Prompt | None = None
    declined: str = ""
    closing: str = ""
    hooks: bool = False


@dataclass(frozen=True, slots=True)
class Locale:
    """A bot in one language. ``threshold``: an intent below this score is not meant."""

    name: str
    intents: tuple[Intent, ...]
    threshold: float = 0.4

    @property
    def fallback(self) -> str:
        """The name of the intent that stands for everything that was not understood."""
        return next((one.name for one in self.intents if one.parent == FALLBACK), "FallbackIntent")


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot with its languages, by Lex name (``en_US``). ``path`` is where its export lies."""

    name: str
    locales: Mapping[str, Locale]
    path: Path = field(default=Path(), compare=False)


def load_bot(path: Path) -> Bot:
    """Read an export: a zip, or the folder that it unpacks to.

    Raises:
        BotExportError: it is not an export of a Lex V2 bot, or something in it is wrong or missing.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*.json"))
        stamp = tuple((file.relative_to(path).as_posix(), file.stat().st_mtime_ns) for file in files)
    elif path.is_file():
        stamp = (("", path.stat().st_mtime_ns),)
    else:
        raise BotExportError("there is no such file or folder")
    return _load(path, stamp)


@lru_cache(maxsize=32)
def _load(path: Path, stamp: tuple[tuple[str, int], ...]) -> Bot:
    files = {name: (path / name).read_bytes() for name, _ in stamp} if path.is_dir() else _unpacked(path)
    return replace(_Reader(files).bot(), path=path)


def _unpacked(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [one for one in archive.infolist() if one.filename.endswith(".json")]
            if len(entries) > MOST_FILES or sum(one.file_size for one in entries) > MOST_BYTES:
                raise BotExportError("it is larger than a bot can be")
            return {one.filename: archive.read(one) for one in entries if not one.filename.startswith("__MACOSX/")}
    except zipfile.BadZipFile:
        pass
    except (OSError, RuntimeError, NotImplementedError, zipfile.LargeZipFile) as error:
        raise BotExportError(f"it cannot be unpacked ({error})") from None
    if b'"importType"' in path.read_bytes()[:2_000]:
        raise BotExportError("it is an export of Lex V1: export the bot from Lex V2")
    raise BotExportError("it is not a zip file: name the zip of `create_export`, or the folder that it unpacks to")


class _Json:
    """One object of a file, asked for by name and kind; what is wrong is told with the file's name."""

    def __init__(self, file: str, value: Mapping[str, Any], place: str = "") -> None:
        self.file = file
        self.value = value
        self.place = place

    def wrong(self, message: str) -> BotExportError:
        return BotExportError(f"{self.file}: {message}")

    def _get(self, names: tuple[str, ...], kind: type, what: str) -> Any:
        for name in names:
            found = self.value.get(name)
            if found is None:
                continue
            if not isinstance(found, kind) or (kind is not bool and isinstance(found, bool)):
                raise self.wrong(f"'{self.place}{name}' should be {what}")
            return found
        return None

    def text(self, *names: str, default: str | None = None) -> str:
        found = self._get(names, str, "a text")
        if found is None and default is None:
            raise self.wrong(f"the field '{self.place}{names[0]}' is missing")
        return str(found if found is not None else default)

    def number(self, *names: str, default: int) -> int:
        found = self._get(names, int, "a whole number")
        return default if found is None else int(found)

    def flag(self, *names: str) -> bool:
        return bool(self._get(names, bool, "true or false"))

    def part(self, *names: str) -> _Json:
        """An object inside; empty where there is none."""
        found = self._get(names, dict, "an object")
        return _Json(self.file, found or {}, f"{self.place}{names[0]}.")

    def parts(self, *names: str) -> list[_Json]:
        found = self._get(names, list, "a list")
        for one in found or ():
            if not isinstance(one, dict):
                raise self.wrong(f"'{self.place}{names[0]}' should be a list of objects")
        return [_Json(self.file, one, f"{self.place}{names[0]}[{at}].") for at, one in enumerate(found or ())]

    def __bool__(self) -> bool:
        return bool(self.value)


class _Reader:
    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def bot(self) -> Bot:
        manifest = next((name for name in self.files if name.rpartition("/")[2].lower() == "manifest.json"), None)
        if manifest is None:
            raise BotExportError("there is no Manifest.json in it: is it the export of a Lex V2 bot?")
        kind = self.object(manifest).part("metaData", "metadata")
        if kind.text("fileFormat", default="LexJson") != "LexJson":
            raise kind.wrong(f"the format is '{kind.text('fileFormat')}', not LexJson")
        root = manifest.rpartition("/")[0]
        whole = next((name for name in self.files if re.fullmatch(rf"{_at(root)}[^/]+/Bot\.json", name)), None)
        single = kind.text("resourceType", default="BOT").replace("_", "").upper() == "BOTLOCALE"
        if whole is None and not single:
            raise BotExportError("there is no Bot.json in it, beside which the folder BotLocales lies")
        locales = [self.locale(name) for name in self.files if name.endswith("/BotLocale.json")]
        if not locales:
            raise BotExportError("there is no BotLocale.json in it: the bot speaks no language")
        name = self.object(whole).text("name") if whole else locales[0].name
        return Bot(name, {one.name: one for one in sorted(locales, key=lambda one: one.name)})

    def object(self, name: str) -> _Json:
        try:
            value = json.loads(self.files[name].decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise BotExportError(f"{name}: it is not UTF-8 text") from None
        except json.JSONDecodeError as error:
            raise BotExportError(f"{name}:{error.lineno}: it is not JSON ({error.msg})") from None
        except RecursionError:
            raise BotExportError(f"{name}: it is nested too deeply") from None
        if not isinstance(value, dict):
            raise BotExportError(f"{name}: it should hold one object")
        return _Json(name, value)

    def below(self, folder: str, last: str) -> Iterator[str]:
        pattern = re.compile(rf"{_at(folder)}[^/]+/{last}")
        yield from sorted(name for name in self.files if pattern.fullmatch(name))

    def locale(self, name: str) -> Locale:
        about, folder = self.object(name), name.rpartition("/")[0]
        threshold = about.value.get("nluConfidenceThreshold")
        if not isinstance(threshold, int | float | None):
            raise about.wrong("'nluConfidenceThreshold' should be a number")
        types = {one.name: one for one in map(self.slot_type, self.below(f"{folder}/SlotTypes", "SlotType.json"))}
        intents = tuple(self.intent(one, types) for one in self.below(f"{folder}/Intents", "Intent.json"))
        if not intents:
            raise BotExportError(f"{folder}/Intents: there is no Intent.json below it: the bot understands nothing")
        ident = about.text("identifier", default=folder.rpartition("/")[2])
        return Locale(ident, intents, 0.4 if threshold is None else float(threshold))

    def slot_type(self, name: str) -> SlotType:
        data = self.object(name)
        values = []
        for one in data.parts("slotTypeValues"):
            synonyms = tuple(each.text("value") for each in one.parts("synonyms"))
            values.append((one.part("sampleValue").text("value"), synonyms))
        choice = data.part("valueSelectionSetting")
        pattern = choice.part("regexFilter").text("pattern", default="")
        try:
            re.compile(pattern)
        except re.error as error:
            raise data.wrong(f"the pattern '{pattern}' cannot be read ({error})") from None
        top = choice.text("resolutionStrategy", default="ORIGINAL_VALUE") == "TOP_RESOLUTION"
        parent = data.text("parentSlotTypeSignature", default="")
        return SlotType(data.text("name"), tuple(values), parent, pattern, top)

    def intent(self, name: str, types: Mapping[str, SlotType]) -> Intent:
        data, folder = self.object(name), name.rpartition("/")[0]
        slots = {
            one.name: one for one in (self.slot(each, types) for each in self.below(f"{folder}/Slots", "Slot.json"))
        }
        utterances = tuple(one.text("utterance") for one in data.parts("sampleUtterances"))
        for utterance in utterances:
            for slot in _SLOT.findall(utterance):
                if slot not in slots:
                    raise data.wrong(f"'{utterance}' names the slot '{slot}', which has no Slot.json below Slots")
        order = {}
        for one in data.parts("slotPriorities"):
            order[one.text("slotName")] = one.number("priority", default=0)
            if one.text("slotName") not in slots:
                raise one.wrong(f"'slotPriorities' names the slot '{one.text('slotName')}', which has no Slot.json")
        asked = data.part("intentConfirmationSetting")
        hook, dialog = data.part("fulfillmentCodeHook"), data.part("dialogCodeHook")
        return Intent(
            name=data.text("name"),
            parent=data.text("parentIntentSignature", default=""),
            utterances=utterances,
            slots=tuple(sorted(slots.values(), key=lambda one: (order.get(one.name, len(order)), one.name))),
            opening=_words(data.part("initialResponseSetting").part("initialResponse")),
            confirmation=_prompt(asked.part("promptSpecification", "confirmationPrompt")) if _on(asked) else None,
            declined=_words(asked.part("declinationResponse")),
            closing=_words(data.part("intentClosingSetting").part("closingResponse")),
            hooks=hook.flag("enabled") or dialog.flag("enabled"),
        )

    def slot(self, name: str, types: Mapping[str, SlotType]) -> Slot:
        data = self.object(name)
        setting = data.part("valueElicitationSetting", "slotValueElicitationSetting")
        type_name = data.text("slotTypeName", default="")
        if not type_name and not data.part("subSlotSetting"):
            raise data.wrong("the field 'slotTypeName' is missing")
        known = types.get(type_name)
        if known is None and type_name and not type_name.startswith("AMAZON."):
            raise data.wrong(f"the slot type '{type_name}' has no SlotType.json below SlotTypes")
        constraint = setting.text("slotConstraint", default=data.text("slotConstraint", default="Optional"))
        defaults = setting.part("defaultValueSpecification").parts("defaultValueList")
        return Slot(
            name=data.text("name"),
            type=known or SlotType(type_name, parent=type_name, top=False),
            required=constraint == "Required",
            prompt=_prompt(setting.part("promptSpecification")),
            utterances=tuple(
                one.text("utterance") for one in setting.parts("sampleUtterances", "sampleValueElicitingUtterances")
            ),
            default=defaults[0].text("defaultValue") if defaults else "",
        )


def _at(folder: str) -> str:
    return re.escape(f"{folder}/") if folder else ""


def _on(setting: _Json) -> bool:
    """A confirmation that is there, and not switched off."""
    there = bool(setting.part("promptSpecification", "confirmationPrompt"))
    return there and setting.value.get("isActive", setting.value.get("active")) is not False


def _words(response: _Json) -> str:
    """What a response says: the first message of each group (Lex takes one at random)."""
    said = []
    for group in response.parts("messageGroupsList", "messageGroupList", "messageGroups"):
        message = group.part("message")
        plain, ssml = message.part("plainTextMessage"), message.part("ssmlMessage")
        said.append(plain.text("value", default="") or ssml.text("value", default=""))
    return " ".join(filter(None, said))


def _prompt(data: _Json) -> Prompt:
    first = data.part("promptAttemptsSpecification").part("Initial").part("audioAndDTMFInputSpecification")
    keys = first.part("dtmfSpecification")
    return Prompt(
        _words(data),
        data.number("maxRetries", default=0),
        Dtmf(
            keys.text("endCharacter", default="#"),
            keys.text("deletionCharacter", default="*"),
            keys.number("maxLength", default=513),
            keys.number("endTimeoutMs", default=5_000),
        ),
    )
