"""No rule, event, action or error without an entry in the ledger; no entry without a test that really leans on it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

import sma_flows.simulator
from simulator.kit import called, hangup, pause, play, reply, speak
from sma_flows.cli.fidelity import command
from sma_flows.protocol.check import PARAMETERS
from sma_flows.protocol.events import EVENT_TYPES
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.fidelity import DOUBTFUL, GROUPS, SOURCES, doubts, facts, ledger
from sma_flows.simulator.messages import InboundCall
from sma_flows.simulator.model import Network
from sma_flows.simulator.network import advance
from sma_flows.simulator.switches import CHOICES, SwitchError, Switches

HERE = Path(__file__).parent
FACTS = ledger().facts
DOCUMENTED_ERRORS = {
    *("InvalidActionParameter", "SystemException", "InvalidAudioSource", "InvalidDigitsReceived", "CallNotAnswered"),
    *("MissingRequiredActionParameter", "AccessDenied", "ActionExecutionThrottled", "ResourceNotFound"),
    *("ResourceAccessDenied", "ErrorJoiningMeeting", "NoAccessToDestination", "TransactionAttributesInvalidMapSize"),
}  # fmt: skip
OUTSIDE = ("hangup", "request", "browser")
"""Groups whose entries are not decided by the network of a call, so that no call leans on them."""
LEANS = re.compile(r"""lean\(\s*(?:f?"([^"]*)"(?:\s+if\s+[^()]*?(?:\([^()]*\))?[^()]*?\s+else\s+"([^"]*)")?)""")


def named(group: str) -> set[str]:
    return {key.removeprefix(f"{group} ") for key, fact in FACTS.items() if fact.group == group}


# ---- what must have an entry ---------------------------------------------------------------------------------------


def test_every_rule_has_an_entry() -> None:
    assert [key for key in named("rule") if key.isdigit()] != []
    assert {int(key) for key in named("rule") if key.isdigit()} == set(range(1, 72))
    assert all(key.split()[0].isdigit() for key in named("rule"))


def test_every_event_action_and_error_has_an_entry() -> None:
    assert named("event") == EVENT_TYPES
    assert named("action") == set(PARAMETERS)
    assert named("report") == set(PARAMETERS) - {"StartBotConversation"}  # it is always the last (rule 53)
    assert named("error") >= DOCUMENTED_ERRORS


def test_every_switch_belongs_to_an_entry_and_has_its_default() -> None:
    assert {name for fact in FACTS.values() for name in fact.switches} == set(CHOICES) == set(ledger().questions)
    assert Switches().changed() == {}
    for name, values in CHOICES.items():
        assert getattr(Switches(), name) == values[0]
        for value in values[1:]:
            assert Switches().having({name: value}).changed() == {name: value}


def test_every_switch_says_what_a_flow_would_suffer() -> None:
    for question in ledger().questions.values():
        assert question.asks.endswith("?")
        assert question.otherwise.endswith(".")


@pytest.mark.parametrize("values", [{"colour": "red"}, {"overlap": "some"}])
def test_an_unknown_switch_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(SwitchError):
        Switches().having(values)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("overlapp", ["overlap"]),
        ("hangup", [name for name in CHOICES if "hangup" in name]),
        ("headers_repeated_", ["headers_repeated"]),
        ("colour", []),
    ],
)
def test_a_switch_that_does_not_exist_brings_the_ones_that_are_near_and_where_all_are(
    name: str, near: list[str]
) -> None:
    with pytest.raises(SwitchError) as caught:
        Switches().having({name: "yes"})
    words = str(caught.value)
    assert [known for known in CHOICES if re.search(rf"\b{known}\b", words.partition(": ")[2])] == near
    assert words.endswith("`sma-flows fidelity --switches` lists all")


# ---- what an entry says --------------------------------------------------------------------------------------------


def test_every_entry_says_how_we_know() -> None:
    for key, fact in FACTS.items():
        assert fact.source in SOURCES, key
        assert fact.says.endswith("."), key
        for place in fact.where:
            assert place.partition(":")[0] in ledger().sources, (key, place)
        if fact.source in ("documented", "observed"):
            assert fact.where, key
        elif fact.source == "inferred":
            assert fact.because or fact.where, key
        else:
            assert fact.switches, key


def test_documented_and_observed_name_the_right_kind_of_source() -> None:
    documents = {"guide", "quotas", "model", "workshop"}
    for key, fact in FACTS.items():
        kinds = {place.partition(":")[0] for place in fact.where}
        if fact.source == "documented":
            assert kinds & documents, key
        if fact.source == "observed":
            assert kinds - documents or "workshop" in kinds, key


# ---- what the code leans on ----------------------------------------------------------------------------------------


def keys_of_the_code() -> set[str]:
    text = "".join(path.read_text("utf-8") for path in sorted(Path(sma_flows.simulator.__file__).parent.glob("*.py")))
    found = {key for match in LEANS.finditer(text) for key in match.groups() if key}
    return found | set(re.findall(r'else "([0-9]+(?: [A-Za-z-]+)?)"', text))


def test_the_code_names_entries_that_exist() -> None:
    for key in keys_of_the_code():
        if "{" in key:
            beginning = key.partition("{")[0]
            assert any(known.startswith(beginning) for known in FACTS), key
        else:
            assert key in FACTS, key


def test_the_code_decides_by_every_rule() -> None:
    keys = keys_of_the_code()
    beginnings = tuple(key.partition("{")[0] for key in keys if "{" in key)
    silent = {key for key, fact in FACTS.items() if fact.group not in OUTSIDE}
    assert {key for key in silent if key not in keys and not key.startswith(beginnings)} == set()


@pytest.fixture(scope="module")
def leaning(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What each test of the ledger leans on, from a run of their own: node (``file::function``) to keys."""
    files = sorted({test.partition("::")[0] for fact in FACTS.values() for test in fact.tests})
    report = tmp_path_factory.mktemp("ledger") / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
    done = subprocess.run(
        [*command, f"--junit-xml={report}", *(str(HERE / name) for name in files)],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    found: dict[str, set[str]] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        file = case.get("classname", "").rpartition(".")[2]
        name = f"{file}.py::{case.get('name', '').partition('[')[0]}"
        for one in case.iter("property"):
            found.setdefault(name, set()).update(one.get("value", "").split("|"))
    return found


def test_every_entry_has_a_test_that_leans_on_it(leaning: dict[str, set[str]]) -> None:
    wrong = []
    for key, fact in FACTS.items():
        if not fact.tests:
            wrong.append(f"{key}: no test")
        wrong += [f"{key}: {test} is not collected" for test in fact.tests if test not in leaning]
        held = {leaned for test in fact.tests for leaned in leaning.get(test, ())}
        if fact.group not in OUTSIDE and key not in held:
            wrong.append(f"{key}: {', '.join(fact.tests)} does not lean on it")
    assert wrong == [], "\n".join(wrong)


def test_every_switch_value_is_tried(leaning: dict[str, set[str]]) -> None:
    text = "".join((HERE / name).read_text("utf-8") for name in {test.partition("::")[0] for test in leaning})
    for name, values in CHOICES.items():
        assert name in text or name.removeprefix("same_meeting_token_") in text, name
        assert f'"{values[1]}"' in text, name


# ---- what a call leaned on -----------------------------------------------------------------------------------------


def test_a_call_says_what_it_leaned_on() -> None:
    made = called(pause(), play(), hangup())
    made.settle()
    keys = made.leaned_on()
    assert {"10", "13 quiet", "22", "28", "59", "event HANGUP", "action Pause", "report PlayAudio"} <= keys
    assert {fact.key for fact in doubts(keys)} == {"13 quiet"}
    assert len(facts(keys)) == len(keys)


def test_a_call_by_the_book_leans_on_nothing_doubtful() -> None:
    made = called(play(), answers={"ACTION_SUCCESSFUL PlayAudio": reply(hangup())})
    made.settle()
    assert doubts(made.leaned_on()) == ()
    assert all(fact.source not in DOUBTFUL for fact in facts(made.leaned_on()))


def test_leaning_goes_on_when_the_network_is_put_in_its_place() -> None:
    made = called(speak())
    before = made.leaned_on()
    made.network = made.network
    made.settle()
    assert before < made.leaned_on()


def test_a_step_of_the_network_says_what_it_leaned_on() -> None:
    keys: set[str] = set()
    advance(Network(), InboundCall(), keys.add)
    assert keys == {"10", "event NEW_INBOUND_CALL"}


def test_keys_that_are_not_in_the_ledger_are_no_facts() -> None:
    assert facts({"10", "error NoSuchThing"}) == (FACTS["10"],)
    assert Phone(lambda _event: {}).leaned_on() == frozenset()


# ---- the command ---------------------------------------------------------------------------------------------------


def run(*args: str) -> str:
    done = CliRunner().invoke(command, args)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_prints_every_entry() -> None:
    lines = run().splitlines()
    assert len(lines) == len(FACTS) + 1
    assert lines[-1].endswith(" unknown")
    assert any(line.startswith("rule 71\tinferred\t") for line in lines)


def test_the_command_filters() -> None:
    inferred = run("--source", "inferred", "--group", "rule").splitlines()[:-1]
    assert inferred
    assert all(line.split("\t")[1] == "inferred" and line.startswith("rule ") for line in inferred)
    assert [line.split("\t")[0] for line in run("43").splitlines()[:-1]] == ["rule 43", "rule 43 busy"]
    assert run("event RING").startswith("event RINGING\t")
    assert run("hangup_order").startswith("rule 60 order\t")


@pytest.mark.parametrize("name", ["60", "rule 60", "hangup_order"])
def test_an_entry_that_is_named_is_shown_with_its_tests_and_with_what_a_flow_would_suffer(name: str) -> None:
    (line,) = [line for line in run(name).splitlines() if line.startswith("rule 60 order\t")]
    fact, question = FACTS["60 order"], ledger().questions["hangup_order"]
    assert fact.tests
    assert all(f"test tests/simulator/{test}" in line for test in fact.tests)
    assert f"hangup_order: {question.asks} Otherwise: {question.otherwise}" in line


def test_the_whole_list_is_without_tests_and_consequences() -> None:
    assert "test tests/simulator/" not in run()
    assert "Otherwise: " not in run()


def test_the_command_prints_the_open_questions() -> None:
    text = run("--switches")
    assert all(f"{name}: {values[0]}, " in text for name, values in CHOICES.items())
    assert text.count("Otherwise: ") == len(CHOICES)


def test_the_command_prints_json() -> None:
    data = json.loads(run("--json", "--group", "event"))
    assert {fact["key"] for fact in data["facts"]} == {f"event {name}" for name in EVENT_TYPES}
    assert data["switches"]["overlap"]["values"] == ["serial", "parallel"]
    assert set(GROUPS) >= {fact["group"] for fact in data["facts"]}


def test_an_unknown_name_is_wrong_usage() -> None:
    done = CliRunner().invoke(command, ["nonsense"])
    assert done.exit_code == 2
    assert "nothing that begins with nonsense" in done.output
