"""Called parties that act by themselves: before the answer, after it, and never on a leg that is not theirs."""

from __future__ import annotations

from typing import Any

import pytest

from sma_flows.simulator.driver import Phone
from sma_flows.simulator.messages import Callee, Deliver, Gone, HangUp, Key, OutboundCall, Talk
from sma_flows.simulator.parties import Party, party_of, presses, voicemail

from .kit import B, bridge, hangup, listen, pause, phone, play, reply, speak, spoken_digits, told

A = {"ParticipantTag": "LEG-A"}
SALES, SUPPORT = "+12065550150", "+12065550151"


def to(number: str) -> dict[str, Any]:
    return bridge(Endpoints=[{"BridgeEndpointType": "PSTN", "Uri": number}])


def acts(made: Phone) -> list[tuple[int, object]]:
    """What parties did by themselves, with the time."""
    return [(entry.at_ms, entry.value) for entry in made.transcript if entry.by == "party"]


def failed_at(made: Phone) -> int:
    return next(entry.at_ms for entry in made.transcript if isinstance(entry.value, Deliver) and entry.number == 2)


def dialled(*first: dict[str, Any], parties: Any, **answers: Any) -> Phone:
    made = phone({"NEW_INBOUND_CALL": reply(*first), **answers}, parties=parties)
    made.dial_in()
    made.settle()
    return made


def test_a_party_is_found_by_its_number_or_stands_for_all() -> None:
    busy, other = Party("busy"), Party()
    assert party_of({SALES: busy}, SALES) is busy
    assert party_of({SALES: busy}, SUPPORT) is None
    assert party_of({SALES: busy, "*": other}, SUPPORT) is other


def test_each_number_has_its_party() -> None:
    parties = {SALES: Party("busy", 1_000), SUPPORT: Party("answers", 2_000)}
    made = dialled(to(SALES), parties=parties, ACTION_FAILED=reply(to(SUPPORT)))
    assert told(made)[1:] == ["ACTION_FAILED CallAndBridge CallNotAnswered", "ACTION_SUCCESSFUL CallAndBridge"]
    assert acts(made) == [
        (500, Callee("rings")),
        (1_000, Callee("busy")),
        (1_500, Callee("rings")),
        (3_000, Callee("answers")),
    ]


def test_a_number_without_a_party_is_left_to_whoever_steers_the_call() -> None:
    made = dialled(to(SUPPORT), parties={SALES: Party()})
    assert acts(made) == []
    assert (told(made)[1], failed_at(made)) == ("ACTION_FAILED CallAndBridge CallNotAnswered", 20_000)


def test_nobody_answers_a_bridge_until_the_service_gives_up() -> None:
    made = dialled(to(SALES), parties={SALES: Party("no_answer", 3_000)})
    assert (told(made)[1], failed_at(made)) == ("ACTION_FAILED CallAndBridge CallNotAnswered", 20_000)  # rule 43


def test_a_bridge_that_nobody_answers_is_still_to_be_waited_for() -> None:
    made = phone({"NEW_INBOUND_CALL": reply(to(SALES))}, parties={SALES: Party("no_answer")})
    made.dial_in()
    made.wait(2_000)
    assert made.will_act
    made.callee(Callee("rings"))  # by hand: from now on whoever steers the call says what happens
    assert not made.will_act


def test_nobody_answers_an_outbound_call_until_its_time() -> None:
    made = phone({}, parties={"*": Party("no_answer", 40_000)})
    made.dial_out(OutboundCall())
    made.settle()
    assert [one for one in made.outputs if isinstance(one, Gone)] == [Gone("LEG-A", 480, "party")]
    assert made.now_ms == 40_000


@pytest.mark.parametrize(("does", "code"), [("busy", 486), ("rejects", 488)])
def test_a_refusal_has_its_code(does: Any, code: int) -> None:
    made = phone({}, parties={"*": Party(does, 1_000, code=488)})
    made.dial_out(OutboundCall())
    made.settle()
    assert [one for one in made.outputs if isinstance(one, Gone)] == [Gone("LEG-A", code, "party")]


def test_a_party_presses_talks_and_hangs_up_after_its_answer() -> None:
    party = Party(after_ms=2_000, rings_ms=None, acts=(*presses("12", 3_000), (5_000, Talk(2_000)), (9_000, HangUp())))
    made = dialled(
        to(SALES),
        listen(r"^12$", **B),
        parties={SALES: party},
        ACTION_SUCCESSFUL=reply(),
        HANGUP=[reply(hangup(**A)), reply()],
    )
    assert acts(made) == [
        (2_000, Callee("answers")),
        (5_000, Key("1", "LEG-B")),
        (5_300, Key("2", "LEG-B")),
        (7_000, Talk(2_000, "LEG-B")),
        (11_000, HangUp("LEG-B")),
    ]
    assert "DIGITS_RECEIVED ReceiveDigits 12" in told(made)
    assert told(made)[-2:] == ["HANGUP LEG-B", "HANGUP LEG-A"]
    assert made.over


def test_the_party_of_an_outbound_call_is_leg_a() -> None:
    party = Party(after_ms=3_000, acts=presses("123456", 4_000))
    made = phone({"CALL_ANSWERED": reply(spoken_digits(), hangup())}, parties={"*": party})
    made.dial_out(OutboundCall())
    made.settle()
    assert told(made)[2:4] == ["CALL_ANSWERED", "ACTION_SUCCESSFUL SpeakAndGetDigits 123456"]


def test_whoever_is_named_for_one_call_is_called_whatever_the_number() -> None:
    made = phone({}, parties={"*": Party()})
    made.dial_out(OutboundCall(), Party("busy", 0, None))
    made.settle()
    assert told(made)[-1] == "HANGUP LEG-A"


def test_a_voicemail_greets_beeps_and_hangs_up_in_the_end() -> None:
    made = dialled(to(SALES), parties={SALES: voicemail(4_000, 6_000, 60_000)}, HANGUP=[reply(hangup()), reply()])
    assert acts(made)[1:] == [
        (4_000, Callee("voicemail")),
        (4_000, Talk(6_000, "LEG-B")),
        (10_000, Talk(400, "LEG-B", sound="beep")),
        (64_000, HangUp("LEG-B")),
    ]


def test_what_a_party_would_have_done_is_left_out_when_its_leg_is_gone() -> None:
    """The flow hangs up on it and calls it again: the second call begins from the start."""
    party = Party(after_ms=1_000, rings_ms=None, acts=(*presses("1", 5_000), (8_000, HangUp())))
    first = [to(SALES), pause(2_000), hangup(**B)]
    made = dialled(
        *first,
        parties={SALES: party},
        **{"ACTION_SUCCESSFUL CallAndBridge": [reply(), reply()], "ACTION_SUCCESSFUL Hangup": reply(to(SALES))},
    )
    assert [(at, act) for at, act in acts(made) if not isinstance(act, Callee)] == [
        (9_000, Key("1", "LEG-B")),
        (12_000, HangUp("LEG-B")),
    ]


def test_a_party_that_is_led_by_hand_does_nothing_by_itself() -> None:
    made = phone({"NEW_INBOUND_CALL": reply(to(SALES))}, parties={SALES: Party(acts=((1_000, HangUp()),))})
    made.dial_in()
    made.wait(1_000)
    assert made.will_act
    made.callee(Callee("answers"))
    made.settle()
    assert not made.will_act
    assert acts(made) == [(500, Callee("rings"))]
    assert made.connected("LEG-B")


def test_the_caller_leaves_and_the_party_does_nothing_more() -> None:
    made = phone({"NEW_INBOUND_CALL": reply(to(SALES))}, parties={SALES: Party()})
    made.dial_in()
    made.wait(1_000)
    made.hang_up()
    assert (made.over, made.will_act) == (True, False)


def test_one_after_the_other_the_last_repeats() -> None:
    made = dialled(
        to(SALES),
        parties=[Party("busy", 100, None), Party("rejects", 100, None)],
        ACTION_FAILED=[reply(to(SALES)), reply(to(SALES)), reply(speak(), hangup())],
    )
    assert [act.does for _, act in acts(made) if isinstance(act, Callee)] == ["busy", "rejects", "rejects"]


def test_nobody_can_be_called_who_does_not_ring() -> None:
    made = phone({"NEW_INBOUND_CALL": reply(play())})
    made.dial_in()
    with pytest.raises(ValueError, match="LEG-B does not ring"):
        made.call("LEG-B", Party())
