"""The secret oracle: leaks planted in every kind of sink are found and named; without a leak nothing is found."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.stand_ins import items, moto, new_table
from sma_flows import handler as function
from sma_flows.cli.app import cli
from sma_flows.runtime.ask import Ask, Secret, ServiceReply
from sma_flows.services.aws.client import Aws
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.needs import HASH_KEY
from sma_flows.services.records import Metric
from sma_flows.simulator.meetings import Wanted
from sma_flows.simulator.messages import Callee, HangUp, Talk, Update
from sma_flows.testing import (
    SINKS,
    Lab,
    Leak,
    Listen,
    Press,
    Sinks,
    Trial,
    Twins,
    Wait,
    load_calls,
    read_calls,
    trials,
    twin_call,
    twin_flow,
    twin_moves,
)
from sma_flows.testing import meetings as simulated
from sma_flows.testing import play as player
from sma_flows.testing import session as sessions
from sma_flows.testing.compared import ALLOWED, OUTSIDE, forms
from sma_flows.testing.handled import Entry
from sma_flows.testing.script import CallsFile
from sma_flows.testing.twins import other

from .test_fuzz import ENV, EVERYTHING, FLOWS, ROOT
from .test_plugin import pytest_on

VAULT = """\
sma_flow: 1
name: vault
entry: inbound
vars:
  pin: secret digits(4..8)
  message: recording
hooks:
  check:
    python: hooks.made:check
    outcomes: {right: {ref: text(200)}, wrong: {ref: text(200)}}
    uses: {queue.put: {queue: "tickets"}}
    budget: 2s
  open: {builtin: meetings.open}
defaults:
  next: {no_input: bye, no_match: bye, exhausted: bye, failed: bye}
start: ask
states:
  ask: {gather: pin, prompt: "Your PIN, please.", finish_on: pound, next: check}
  check: {run: check(pin), next: {right: welcome, wrong: denied}}
  denied: {say: "No.", next: bye}
  welcome: {say: "Welcome, {ref}.", next: leave}
  leave: {record: message, to: env.VOICEMAILS, max: 1m, silence: 3s, next: {recorded: sales}}
  sales: {bridge: env.SALES, headers: {x-ref: ref}, next: {ended: open, no_answer: open, failed: open}}
  open: {run: open(ref), next: join}
  join: {join_meeting: meeting, next: {left: bye}}
  bye: {say: "Goodbye.", hangup: normal}
"""

CALLS = """\
flow: vault.yaml
env: {SALES: "+12065550150", VOICEMAILS: example-voicemails}
calls:
  - call: with the right PIN
    script:
      - press: KEYS#
      - hear: {text: Welcome}
      - speak: 2s
      - expect: {dialled: "+12065550150"}
      - callee: answers
      - callee: hangs_up
      - expect: in_meeting
      - hangup: caller
"""

HOOK = """\
import hashlib, hmac, logging, pathlib, warnings
from sma_flows.hooks import Reply, hook

@hook
def check(call, pin):
    digits, right = pin.reveal(), pin.reveal() == "482913"
    ref = "caller"
{body}
    return Reply("right" if right else "wrong", ref=ref)
"""

Changes = Mapping[str, Any]


@pytest.fixture
def vault(calls: Callable[..., CallsFile]) -> Callable[..., Twins]:
    """Plays the call and its twins; *body* is what the hook does beside its work."""

    def played(body: str = "", pin: str = "482913", **options: Any) -> Twins:
        file = calls(body, pin)
        env = options.pop("env", {})
        return twin_call(file.flow, replace(file.calls[0], env={**file.calls[0].env, **env}), **options)

    return played


@pytest.fixture
def calls(tmp_path: Path) -> Callable[..., CallsFile]:
    """A calls file with its flow and its hook in a folder of their own."""

    def written(body: str = "", pin: str = "482913") -> CallsFile:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))  # hooks are loaded once from a folder
        (folder / "hooks").mkdir(parents=True)
        (folder / "vault.yaml").write_text(VAULT, "utf-8")
        code = "\n".join(f"    {line}" for line in body.splitlines())
        (folder / "hooks" / "made.py").write_text(HOOK.format(body=code), "utf-8")
        (folder / "vault.calls.yaml").write_text(CALLS.replace("KEYS", pin), "utf-8")
        file, found = load_calls(folder / "vault.calls.yaml")
        assert file is not None, found
        return file

    return written


def sinks(found: Twins) -> set[str]:
    return {leak.sink for leak in found.leaks}


def digits_of(event: Mapping[str, Any]) -> str:
    return str((event.get("ActionData") or {}).get("ReceivedDigits") or "")


# ---- nothing planted -------------------------------------------------------------------------------------------------


def test_a_call_without_a_leak_has_equal_twins(vault: Callable[..., Twins]) -> None:
    found = vault()
    assert found.leaks == []
    assert (found.hidden, found.notes, found.unsteady) == (1, [], [])
    assert found.texts > 130


CALL_FILES = sorted((ROOT / "flows" / "calls").glob("*.calls.yaml"))
HIDING = ("dial-in", "meeting-dialer")


@pytest.mark.parametrize("path", CALL_FILES, ids=lambda path: path.name.removesuffix(".calls.yaml"))
def test_every_call_of_the_flows_of_the_repository_has_equal_twins(path: Path) -> None:
    file, _ = load_calls(path)
    assert file is not None
    done = [twin_call(file.flow, script) for script in file.calls]
    assert [(one.call, str(leak)) for one in done for leak in one.leaks] == []
    assert [(one.call, one.notes, one.unsteady) for one in done if one.notes or one.unsteady] == []
    if path.name.startswith(HIDING):
        assert sum(one.hidden for one in done) >= 3
    else:
        assert sum(one.hidden for one in done) == 0, "these flows ask for nothing secret"


PIN_CALL = """\
flow: {flow}
calls:
  - call: twice wrong, then right
    from: "+14155550123"
    stub: {{verify_pin: [wrong, raises, ok]}}
    script: [{{press: "1"}}, {{press: 4155501#}}, {{press: "{pin}"}}, {{press: 4155501#}}, {{press: "{more}"}}]
"""


@given(st.text("0123456789", min_size=6, max_size=6), st.text("0123456789", min_size=6, max_size=6))
@settings(max_examples=20, derandomize=True, database=None, deadline=None)
def test_no_drawn_pin_leaves_a_trace_or_is_hit_by_chance(pin: str, more: str) -> None:
    text = PIN_CALL.format(flow=(ROOT / "flows" / "dial-in.yaml").as_posix(), pin=pin, more=more)
    file, found = read_calls(text, "made.calls.yaml")
    assert file is not None, found
    done = twin_call(file.flow, file.calls[0])
    assert done.leaks == []
    assert done.hidden == len({pin, more})


HIDES = [path for path in FLOWS if path.stem in HIDING]


@pytest.mark.parametrize("path", HIDES, ids=lambda path: path.stem)
def test_no_way_to_a_state_has_unequal_twins(path: Path) -> None:
    done = list(twin_flow(path, env=ENV))
    assert [(one.call, str(leak)) for one in done for leak in one.leaks] == []
    assert sum(one.hidden for one in done) >= 3


@pytest.mark.parametrize("reply", ["right", "wrong", "raises"])
def test_a_call_by_every_kind_of_service_has_equal_twins(reply: str) -> None:
    """A secret, a masked result of a hook in attributes and memo records, a bridge, a recording, clean-up."""
    lab = Lab(EVERYTHING, env=ENV)
    typed = [Listen(), Press("4711#"), Listen(), Press("8264"), Listen(), Press("8264"), Listen(), Press("1"), Listen()]
    ticket = {"done": {"number": "t-1", "badge": "badge-4711", "names": ["Ann"]}}
    moves = [*typed, Callee("answers"), Listen(), Press("2"), HangUp("LEG-B"), Listen(), Press("3"), Talk(2_000)]
    done = twin_moves(lab, lab.setting(), moves, {"check_pin": [reply], "ticket": [ticket]})
    assert [str(leak) for leak in done.leaks] == []
    assert (done.hidden, done.notes, done.unsteady) == (1 if reply == "raises" else 2, [], [])


@pytest.mark.parametrize("path", HIDES, ids=lambda path: path.stem)
def test_no_drawn_call_has_unequal_twins(path: Path) -> None:
    lab = Lab(path, env=ENV)
    hidden: list[int] = []

    @settings(max_examples=25, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(trials(lab))
    def drawn(trial: Trial) -> None:
        done = twin_moves(lab, trial.setting, trial.moves, trial.given)
        assert done.leaks == []
        hidden.append(done.hidden)

    drawn()
    assert sum(hidden) >= 3, "enough calls came to a secret"


def test_digits_that_occur_by_chance_are_no_leak(vault: Callable[..., Twins]) -> None:
    """2065 is in every number that is dialled, 0000 in every id, 1 is everywhere."""
    for pin in ("2065", "55501", "0000"):
        assert vault(pin=pin).leaks == []


# ---- planted leaks ---------------------------------------------------------------------------------------------------

IN_HOOK = {
    "output": "print('checked', digits)",
    "log": "logging.getLogger('authors').debug('the PIN was %s', digits)",
    "warning": "warnings.warn(f'{digits} is a weak PIN')",
    "file": "pathlib.Path(__file__).with_name(digits[::-1]).write_text('checked')",
    "store": "call.services.queue.put(' '.join(digits))",
    "speech": "ref = digits",
    "SIP header": "ref = digits",
    "attribute": "ref = hashlib.md5(digits.encode()).hexdigest()",
    "external id": "ref = hashlib.sha1(digits.encode()).hexdigest()",
    "request": "ref = digits",
}


@pytest.mark.parametrize("sink", IN_HOOK)
def test_what_a_hook_lets_out_is_found_in_its_sink(sink: str, vault: Callable[..., Twins]) -> None:
    body = IN_HOOK[sink]
    found = vault(body + "\nright = True" if "ref" in body else body)
    assert sink in sinks(found), found.leaks
    assert all("twins" in leak.checks for leak in found.leaks if leak.sink == sink)
    assert_nothing_is_shown(found)


def assert_nothing_is_shown(found: Twins) -> None:
    """The report of a leak holds no digits of any play, in no form."""
    for text in ("482913", other("482913", 1), other("482913", 2)):
        for _, form in forms(text):
            assert not [leak for leak in found.leaks if form in str(leak)], form


def test_an_annotation_of_a_trace_is_found(vault: Callable[..., Twins]) -> None:
    body = (
        "from aws_xray_sdk.core import xray_recorder\nxray_recorder.current_subsegment().put_annotation('pin', digits)"
    )
    found = vault(body)
    assert sinks(found) == {"trace"}
    assert_nothing_is_shown(found)


def test_a_record_that_shows_keys_is_found(vault: Callable[..., Twins], monkeypatch: pytest.MonkeyPatch) -> None:
    record_of = function.record_of
    leaky = lambda event, *more: {**record_of(event, *more), "keys": digits_of(event)}  # noqa: E731
    monkeypatch.setattr(function, "record_of", leaky)
    found = vault()
    assert sinks(found) == {"record"}
    assert all("search: plain" in leak.checks for leak in found.leaks)


def test_a_dimension_of_a_metric_is_found(vault: Callable[..., Twins], monkeypatch: pytest.MonkeyPatch) -> None:
    def leaky(event: Mapping[str, Any], *_more: Any) -> list[Metric]:
        digits = digits_of(event)
        return [Metric("Checks", dimensions={"key": hashlib.sha256(digits.encode()).hexdigest()})] if digits else []

    monkeypatch.setattr(function, "metrics_of", leaky)
    found = vault()
    assert sinks(found) == {"metric"}
    assert "search: sha256" in found.leaks[0].checks


def test_a_memo_record_under_an_unsalted_hash_is_found(
    vault: Callable[..., Twins], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What other packages do for idempotency: the key is a digest of the arguments."""
    once = LocalServices._once

    def leaky(self: LocalServices, ask: Ask, deadline: float) -> ServiceReply:
        text = "/".join(arg.reveal() if isinstance(arg, Secret) else str(arg) for arg in ask.args)
        return once(self, ask._replace(token=hashlib.blake2b(text.encode()).hexdigest()), deadline)

    monkeypatch.setattr(LocalServices, "_once", leaky)
    found = vault()
    assert {(leak.sink, leak.place) for leak in found.leaks} == {("store", "memo")}
    assert found.leaks[0].checks == ("twins",), "no search knows this digest"


def test_an_external_user_id_made_of_the_pin_is_found(
    vault: Callable[..., Twins], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed: list[str] = []
    monkeypatch.setattr(simulated, "Wanted", lambda token: Wanted(f"{token}-{typed[-1]}"))

    def watching(inner: Entry) -> Entry:
        def entry(event: dict[str, Any], context: Any) -> Any:
            typed.extend(filter(None, [digits_of(event)]))
            return inner(event, context)

        return entry

    found = vault(wrap=watching)
    assert "external id" in sinks(found)


def changed(change: Callable[[dict[str, Any], str], None]) -> Callable[[Entry], Entry]:
    """Around the function: *change* is given each answer and the digits that were typed last."""

    def wrap(inner: Entry) -> Entry:
        typed = [""]

        def entry(event: dict[str, Any], context: Any) -> Any:
            typed.extend(filter(None, [digits_of(event)]))
            answer = json.loads(json.dumps(inner(event, context)))
            if typed[-1]:
                change(answer, typed[-1])
            return answer

        return entry

    return wrap


def test_an_attribute_that_is_added_around_the_handler_is_found(vault: Callable[..., Twins]) -> None:
    def keeps(answer: dict[str, Any], digits: str) -> None:
        if "TransactionAttributes" in answer:
            answer["TransactionAttributes"]["last_keys"] = digits

    found = vault(wrap=changed(keeps))
    assert {(leak.sink, leak.place.rpartition(", ")[2]) for leak in found.leaks} == {("attribute", "last_keys")}


def test_the_name_of_a_recording_is_found(vault: Callable[..., Twins]) -> None:
    def names(answer: dict[str, Any], digits: str) -> None:
        for action in answer.get("Actions", ()):
            if action["Type"] == "RecordAudio":
                action["Parameters"]["RecordingDestination"]["Prefix"] = f"calls/{digits}"

    found = vault(wrap=changed(names))
    places = {leak.place for leak in found.leaks if leak.sink == "recording name"}
    assert "file" in places
    assert any("RecordAudio" in place for place in places)


def test_digits_that_are_sent_to_the_other_party_are_found(vault: Callable[..., Twins]) -> None:
    def sends(answer: dict[str, Any], digits: str) -> None:
        for action in answer.get("Actions", ()):
            if action["Type"] == "CallAndBridge":
                action["Parameters"]["Endpoints"][0]["Uri"] = f"+1206{digits.rjust(7, '5')}"

    assert "action" in sinks(vault(wrap=changed(sends)))


def test_the_text_of_an_exception_that_leaves_the_function_is_found(vault: Callable[..., Twins]) -> None:
    def raises(answer: dict[str, Any], digits: str) -> None:
        raise LookupError(f"no member {digits}")

    found = vault(wrap=changed(raises))
    assert "exception" in sinks(found)
    assert len(found.notes) == 1, "all plays fail in the same way"


def test_a_transcript_that_shows_keys_is_found_there_and_in_every_report(
    vault: Callable[..., Twins], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_words = sessions.turn_in_words
    leaky = lambda event, turn: f"{in_words(event, turn)} {digits_of(event)}"  # noqa: E731
    monkeypatch.setattr(sessions, "turn_in_words", leaky)
    found = vault()
    assert sinks(found) == {"transcript", "report"}
    assert {leak.place for leak in found.leaks if leak.sink == "report"} == {"text", "JUnit", "JSON"}


def test_a_report_that_names_the_keys_of_a_step_is_found(
    vault: Callable[..., Twins], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "in_words", lambda step, _session, hidden: str(step))
    found = vault()
    assert {"transcript", "report"} == sinks(found)
    assert "step 1" in {leak.place for leak in found.leaks if leak.sink == "report"}


def test_every_sink_but_the_deaf_ones_was_planted_in_above() -> None:
    """At least twelve. What is left: notes of the runtime and coverage know states only, recordings hold no keys."""
    planted = {*IN_HOOK, "trace", "record", "metric", "recording name", "action", "exception", "transcript", "report"}
    assert len(planted) >= 12
    assert set(SINKS) - planted == {"note", "coverage", "recording"}


# ---- hashes, the search, texts that are never the same ---------------------------------------------------------------


def test_a_keyed_digest_is_found_by_twins_and_by_no_search(vault: Callable[..., Twins]) -> None:
    body = "print('ticket', hmac.new(b'pepper', digits.encode(), 'sha256').hexdigest())"
    found = vault(body)
    (leak,) = found.leaks
    assert (leak.sink, leak.place, leak.checks) == ("output", "stdout, line 2", ("twins",))
    assert "[64 hexadecimal digits]" in leak.one
    known = {form for text in ("482913", other("482913", 1)) for _, form in forms(text)}
    assert hmac.new(b"pepper", b"482913", "sha256").hexdigest() not in known


@pytest.mark.parametrize(
    ("code", "form"),
    [
        ("digits", "plain"),
        ("digits[::-1]", "reversed"),
        ("' '.join(digits)", "digits with spaces"),
        ("digits.encode().hex()", "hexadecimal"),
        ("hashlib.md5(digits.encode()).hexdigest()", "md5"),
        ("hashlib.sha1(digits.encode()).hexdigest().upper()", "sha1"),
        ("__import__('zlib').crc32(digits.encode())", "crc32"),
        ("__import__('base64').b64encode(digits.encode()).decode()", "base64"),
        ("''.join(f'\\\\u{ord(d):04x}' for d in digits)", "JSON escapes"),
    ],
)
def test_what_a_hook_does_for_the_right_pin_only_is_found_by_the_search(
    code: str, form: str, vault: Callable[..., Twins]
) -> None:
    found = vault(f"if right: print('welcome', {code})")
    assert [(leak.sink, leak.checks) for leak in found.leaks] == [("output", (f"search: {form}",))]
    assert_nothing_is_shown(found)


def test_a_hook_may_say_what_it_decided(vault: Callable[..., Twins]) -> None:
    """The twins are both wrong, and the outcome of the right PIN counts: what depends on that is no leak."""
    assert vault("print('granted' if right else 'denied')").leaks == []


def test_a_clock_in_a_line_hides_no_leak_and_is_none(vault: Callable[..., Twins]) -> None:
    clock = "__import__('time').perf_counter_ns()"
    steady = vault(f"print('at', {clock})")
    assert (steady.leaks, steady.unsteady) == ([], ["output"])
    found = vault(f"print('at', {clock}, hmac.new(b'pepper', digits.encode(), 'sha256').hexdigest())")
    assert [(leak.sink, leak.checks) for leak in found.leaks] == [("output", ("twins",))]


def test_a_flow_that_compares_digits_itself_is_said_to_go_another_way(tmp_path: Path) -> None:
    (tmp_path / "door.yaml").write_text(
        """\
sma_flow: 1
name: door
entry: inbound
vars: {pin: secret digits(4)}
defaults: {next: {no_input: bye, no_match: bye, failed: bye}}
start: ask
states:
  ask: {gather: pin, prompt: "PIN?", next: look}
  look: {choose: {right: pin is env.PIN}, next: {right: inside, other: bye}}
  inside: {say: "Inside.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
""",
        "utf-8",
    )
    script = '[{press: "4711"}, {hear: [{text: Inside}, {text: Goodbye}]}]'
    text = f'flow: door.yaml\nenv: {{PIN: "4711"}}\ncalls: [{{call: in, script: {script}}}]'
    file, found = read_calls(text, str(tmp_path / "door.calls.yaml"))
    assert file is not None, found
    done = twin_call(file.flow, file.calls[0])
    assert done.leaks == []
    assert done.notes
    assert "4711" not in str(done.notes)


# ---- a table in AWS --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaky", [False, True])
def test_items_of_a_table_are_a_sink_of_whoever_has_one(leaky: bool, vault: Callable[..., Twins]) -> None:
    """Memo records in DynamoDB name each attempt by chance; that hides no leak beside it."""
    with moto() as address:
        place = new_table("moto", address)
        table = Aws(place.env).api("dynamodb")

        def scanned(into: Sinks) -> None:
            for item in items(place):
                into.add("DynamoDB", item["pk"]["S"].partition("/")[0], item)
                table.call("delete_item", 10, TableName=place.table, Key={"pk": item["pk"]})

        body = "right = True\nref = hmac.new(b'pepper', digits.encode(), 'sha256').hexdigest()" if leaky else ""
        env = {**place.env, "SMA_FLOWS_SERVICES": "local", HASH_KEY: "a key for tests that is long enough"}
        found = vault(body, env=env, store=place.env["SMA_FLOWS_STORE"], more=scanned)
    assert "DynamoDB" in found.unsteady
    assert ("DynamoDB" in sinks(found)) == leaky
    assert {leak.place for leak in found.leaks if leak.sink == "DynamoDB"} == ({"memo"} if leaky else set())


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def run() -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(cli, ["test", *map(str, arguments)])


def test_the_command_says_that_nothing_has_come_out(run: Callable[..., Result]) -> None:
    done = run(ROOT / "flows" / "calls" / "dial-in.calls.yaml", "--twins", "-k", "PIN")
    assert done.exit_code == 0, done.output
    assert "calls hide something, and were played with other secrets, too" in done.output
    assert "all as written" in done.output


def test_the_command_fails_with_a_leak_and_shows_no_digits(
    run: Callable[..., Result], calls: Callable[..., CallsFile], tmp_path: Path
) -> None:
    path = calls("logging.getLogger('authors').warning('PIN %s', digits)").path
    report = tmp_path / "report.xml"
    done = run(path, "--twins", "--junit", report)
    assert done.exit_code == 1
    assert f"{path}:4: what is hidden comes out" in done.output
    assert "a secret value is in the sink 'log', authors (twins, search: plain)" in done.output
    assert "the sink 'log'" in report.read_text("utf-8")
    assert "482913" not in done.output + report.read_text("utf-8")
    done = run(path, "--twins", "--json")
    (told,) = json.loads(done.stdout)
    assert told["hidden"] == 1
    assert told["leaks"] == [
        {"kind": "secret", "sink": "log", "place": "authors", "checks": ["twins", "search: plain"]}
    ]


def test_pytest_plays_twins_as_well(calls: Callable[..., CallsFile]) -> None:
    path = calls("logging.getLogger('authors').warning('PIN %s', digits)").path
    assert pytest_on(path).returncode == 0
    done = pytest_on(
        path, "--flow-twins", "--show-capture=no"
    )  # pytest shows what the hook has logged: the leak itself
    assert done.returncode == 1
    assert f"{path.name}:4: what is hidden comes out" in done.stdout
    assert "a secret value is in the sink 'log', authors (twins, search: plain)" in done.stdout
    assert "482913" not in done.stdout
    assert pytest_on(calls("right = True").path, "--flow-twins").returncode == 0


def test_a_call_that_fails_hides_the_keys_of_its_step(
    run: Callable[..., Result], calls: Callable[..., CallsFile], tmp_path: Path
) -> None:
    file = calls("right = False")
    report = tmp_path / "report.xml"
    done = run(file.path, "--twins", "--junit", report)
    assert done.exit_code == 1
    assert "expected to hear" in done.output
    assert "press: (7 hidden keys)" in done.output
    assert "482913" not in done.output + report.read_text("utf-8")


def test_twins_are_for_flows_that_answer_here(run: Callable[..., Result]) -> None:
    done = run(ROOT / "flows" / "calls", "--twins", "--target", "http://127.0.0.1:1")
    assert done.exit_code == 2
    assert "--twins is for flows that answer here" in done.output


TWO_WRONG = ("111111", "735026")


def test_the_telephone_in_plain_lines_shows_the_same_for_two_pins(tmp_path: Path) -> None:
    flow = str(ROOT / "flows" / "dial-in.yaml")
    said = []
    for pin in TWO_WRONG:
        file = tmp_path / f"{len(said)}.calls.yaml"
        typed = f"1\n4155501#\n{pin}\nvars\nback\n{pin}\nhangup\nsave {file} two\nquit\n"
        done = CliRunner().invoke(cli, ["phone", flow, "--plain"], input=typed)
        assert done.exit_code == 0, done.output
        said.append(done.output.replace(str(file), "FILE"))
        assert pin in file.read_text("utf-8"), "a call that is saved is a calls file: its author typed the digits"
        assert pin not in done.output
    assert said[0] == said[1]
    assert "(6 hidden keys)" in said[0]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_replay_of_recorded_events_shows_the_same_for_two_pins(options: list[str], tmp_path: Path) -> None:
    path, said = ROOT / "flows" / "dial-in.yaml", []
    for pin in TWO_WRONG:
        lab = Lab(path)
        moves = [Listen(), Press("1"), Listen(), Press("4155501#"), Listen(), Press(pin), Listen()]
        trial = lab.play(lab.setting(), moves, {"verify_pin": ["wrong"]})
        folder = tmp_path / str(len(said))
        folder.mkdir()
        for number, turn in enumerate(trial.session.turns):
            (folder / f"{number:02}.json").write_text(turn.event, "utf-8")
        assert pin in "".join(turn.event for turn in trial.session.turns), "the events are the service's"
        done = CliRunner().invoke(cli, ["replay", str(path), str(folder), *options])
        assert done.exit_code == 0, done.output
        timeless = re.sub(r"\d+\.\d+ ms|seconds\": [\d.e-]+", "TIME", done.output)
        said.append(timeless.replace(str(folder), "FOLDER"))
    assert said[0] == said[1]
    assert not [pin for pin in TWO_WRONG if pin in said[0]]


# ---- masked values ---------------------------------------------------------------------------------------------------


def invited(change: Callable[[Entry], Entry] | None = None) -> Twins:
    file, _ = load_calls(ROOT / "flows" / "calls" / "meeting-dialer.calls.yaml")
    assert file is not None
    return twin_call(file.flow, file.calls[0], wrap=change)


def test_a_token_may_travel_with_the_call_and_open_the_meeting_and_nothing_else() -> None:
    assert invited().leaks == []

    def tells(inner: Entry) -> Entry:
        def entry(event: dict[str, Any], context: Any) -> Any:
            arguments = (event.get("ActionData") or {}).get("Parameters", {}).get("Arguments", {})
            sys.stdout.write(f"arguments {sorted(map(str, arguments.values()))}\n")
            return inner(event, context)

        return entry

    found = invited(tells)
    assert {(leak.kind, leak.sink) for leak in found.leaks} == {("masked", "output")}


def test_a_token_of_an_update_is_put_into_disguise_and_hidden_in_the_transcript() -> None:
    flow = ROOT / "tests" / "scenarios" / "A28" / "flow.yaml"
    lab = Lab(flow, env={**ENV, "CLINICS": "clinics"})
    update = Update((("event", "agent"), ("meeting_id", "m-1"), ("join_token", "token-4711-4711")))
    done = twin_moves(lab, lab.setting(), [Wait(3_000), update, Listen(), HangUp()], {})
    assert (done.leaks, done.hidden) == ([], 1)


def test_places_that_may_hold_what_is_hidden_are_named_with_reasons() -> None:
    assert all(one.kind == "masked" and one.why and one.sink in SINKS for one in ALLOWED)
    assert all(name and why for name, why in OUTSIDE.items())


# ---- shapes ----------------------------------------------------------------------------------------------------------


@given(st.text("0123456789#*abcXYZ-", max_size=12), st.integers(1, 2))
def test_a_disguise_has_the_same_shape_and_keeps_no_digit(text: str, turn: int) -> None:
    worn = other(text, turn)
    assert len(worn) == len(text)
    for before, after in zip(text, worn, strict=True):
        assert (before.isdigit(), before.isupper(), before.islower()) == (
            after.isdigit(),
            after.isupper(),
            after.islower(),
        )
        assert (before == after) == (before in "#*-")
    assert other(text, 0) == text


def test_keys_typed_before_anything_is_asked_are_no_secret(vault: Callable[..., Twins]) -> None:
    lab = Lab(ROOT / "flows" / "dial-in.yaml")
    done = twin_moves(lab, lab.setting(), [Press("4711"), Listen()], {})
    assert (done.hidden, done.leaks, done.texts) == (0, [], 0)


def test_a_leak_is_told_in_a_sentence_and_two_lines() -> None:
    leak = Leak("secret", "output", "stdout, line 1", ("twins", "search: plain"), "a [6 digits]", "a [6 digits]")
    first, *lines = str(leak).splitlines()
    assert first == "a secret value is in the sink 'output', stdout, line 1 (twins, search: plain)"
    assert len(lines) == 2
    assert str(replace(leak, kind="masked")).startswith("a masked value")
