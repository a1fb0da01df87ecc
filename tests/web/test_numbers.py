"""Which numbers may be called."""

from __future__ import annotations

import phonenumbers
import pytest

from sma_flows.web.numbers import KINDS, Fence, region_of
from sma_flows.web.refused import RefusedError

HOME = Fence(frozenset({"US"}))


@pytest.mark.parametrize(
    "written",
    ["+12065550150", "+1 206 555 0150", "+1 (206) 555-0150", "+1-206-555-0150", "+1.206.555.0150", "+1206-5550150"],
)
def test_a_number_is_understood_however_it_is_written(written: str) -> None:
    assert HOME.number(written) == "+12065550150"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "fixed_line_or_mobile"])
def test_of_every_kind_only_usual_ones_are_called(kind: str) -> None:
    """With an example of that kind of every country that has one, all countries allowed."""
    everywhere = frozenset(phonenumbers.SUPPORTED_REGIONS)
    seen = 0
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number_for_type(region, KINDS[kind])
        if example is None or phonenumbers.number_type(example) != KINDS[kind]:
            continue
        number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        home = phonenumbers.region_code_for_number(example)
        seen += 1
        assert Fence(everywhere, frozenset({kind})).number(number) == number, "where it is allowed"
        if kind in ("fixed_line", "mobile", "voip"):
            assert Fence(everywhere).number(number) == number
            with pytest.raises(RefusedError) as foreign:
                Fence(everywhere - {home}).number(number)
            assert (foreign.value.status, foreign.value.code) == (403, "foreign_number_refused")
        else:
            with pytest.raises(RefusedError) as refused:
                Fence(everywhere).number(number)
            assert (refused.value.status, refused.value.code) == (403, "number_kind_refused")
    assert seen >= 1


def test_the_caribbean_is_not_the_united_states() -> None:
    shared = [region for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1] if region not in ("US", "CA")]
    assert len(shared) > 20
    for region in shared:
        example = phonenumbers.example_number_for_type(region, KINDS["fixed_line"])
        if example is None or phonenumbers.region_code_for_number(example) == "US":
            continue
        number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        with pytest.raises(RefusedError) as refused:
            HOME.number(number)
        assert refused.value.status == 403, number


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "911",
        "+911",
        "12065550150",
        "+0012065550150",
        "tel:+12065550150",
        "+12065550150#12",
        "+1206555015a",
        "+1206555O150",
        "+1 206 555 0150\n",
        "+1\u202f206\u202f555\u202f0150",
        "+" + "1" * 31,
        "+1" + " " * 30 + "2065550150",
    ],
)
def test_what_is_no_number_is_refused_as_such(written: str) -> None:
    with pytest.raises(RefusedError) as refused:
        HOME.number(written)
    assert (refused.value.status, refused.value.code) == (422, "not_a_number")


def test_no_refusal_repeats_the_number() -> None:
    for written in ("+19005550123", "+18765550123", "+1415999", "+442079460123", "+14155550150x"):
        with pytest.raises(RefusedError) as refused:
            HOME.number(written)
        assert not any(written[at : at + 6] in refused.value.message for at in range(len(written) - 5))


def test_the_country_of_a_number_is_told() -> None:
    assert [region_of(number) for number in ("+14255550100", "+18765550123", "+4930123456", "nonsense")] == [
        "US",
        "JM",
        "DE",
        "",
    ]
