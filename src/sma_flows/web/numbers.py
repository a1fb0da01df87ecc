"""Which telephone numbers a page may have called: the first of two fences against toll fraud.

The second is the dial policy of the flow, by beginnings of numbers. Here the number is understood: that it is one, what
it costs to call it, and in which country it rings. What kind of number a beginning stands for is known to
``phonenumbers``, Google's tables for Python; a beginning such as +1 is no country: the Caribbean is behind it, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from sma_flows.web.refused import RefusedError

__all__ = ["KINDS", "USUAL", "Fence", "region_of"]

KINDS: Final[Mapping[str, int]] = {
    "fixed_line": PhoneNumberType.FIXED_LINE,
    "mobile": PhoneNumberType.MOBILE,
    "fixed_line_or_mobile": PhoneNumberType.FIXED_LINE_OR_MOBILE,
    "toll_free": PhoneNumberType.TOLL_FREE,
    "premium_rate": PhoneNumberType.PREMIUM_RATE,
    "shared_cost": PhoneNumberType.SHARED_COST,
    "voip": PhoneNumberType.VOIP,
    "personal_number": PhoneNumberType.PERSONAL_NUMBER,
    "pager": PhoneNumberType.PAGER,
    "uan": PhoneNumberType.UAN,
    "voicemail": PhoneNumberType.VOICEMAIL,
}
"""Kinds of numbers by name. ``fixed_line_or_mobile`` is what most numbers of North America are."""

USUAL: Final = frozenset({"fixed_line", "mobile", "fixed_line_or_mobile", "voip"})
"""What may be called unless the operator says otherwise."""

_NAMES: Final = {kind: name for name, kind in KINDS.items()}
_WRITTEN: Final = re.compile(r"\+[0-9][0-9 ().-]{5,30}").fullmatch
_WORDS: Final = {"premium_rate": "a premium number", "shared_cost": "a shared-cost number", "toll_free": "toll-free"}


@dataclass(frozen=True, slots=True)
class Fence:
    """What may be called: countries (ISO 3166, two letters) and :data:`KINDS`."""

    regions: frozenset[str]
    kinds: frozenset[str] = USUAL

    def number(self, written: str) -> str:
        """The number in E.164 form, if it may be called.

        Raises:
            RefusedError: it is none (422), or it may not be called (403).
        """
        if not _WRITTEN(written):  # before the parser, which reads letters as keys
            raise _not_a_number("Write the number with a plus and the country code, like +12065550123.")
        try:
            parsed = phonenumbers.parse(written, None)
        except NumberParseException:
            raise _not_a_number("No country has this number.") from None
        if not phonenumbers.is_possible_number(parsed):
            raise _not_a_number("The number is too short or too long for its country.")
        if not phonenumbers.is_valid_number(parsed):
            raise _not_a_number("The number is not in use in its country.")
        kind = _NAMES.get(phonenumbers.number_type(parsed), "")
        if kind not in self.kinds:
            words = _WORDS.get(kind, "of a kind that may not be called")
            raise RefusedError(403, "number_kind_refused", f"The number is {words}; it is not called from here.")
        if phonenumbers.region_code_for_number(parsed) not in self.regions:
            raise RefusedError(
                403, "foreign_number_refused", "The number is in a country that is not called from here."
            )
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def region_of(number: str) -> str:
    """The country of a number in E.164 form; empty when it is not known."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number, None)) or ""
    except NumberParseException:
        return ""


def _not_a_number(message: str) -> RefusedError:
    return RefusedError(422, "not_a_number", message)
