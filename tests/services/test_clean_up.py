"""Clean-up that fails is tried again outside the call: with its token, without secrets, by hand where it is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sma_flows import handler
from sma_flows.cli.app import cli
from sma_flows.compiler import compile_paths
from sma_flows.errors import ServiceError
from sma_flows.hooks import Reply
from sma_flows.plan import Plan
from sma_flows.runtime.ask import Secret
from sma_flows.runtime.program import FlowProgram, Program
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.jobs import clean_up, clean_up_in, clean_up_of, is_clean_up, is_job
from sma_flows.services.setup import open_services

from .faulty import faulty
from .stand_ins import ENV
from .world import Counting, an_ask, perform, reasons, sent, services

FLOW = """\
sma_flow: 1
name: tidy
entry: inbound
hooks:
  make: {python: hooks.made:make, effect: keyed, budget: 300ms, undo: unmake()}
  unmake: {python: hooks.made:unmake, effect: repeatable, budget: 300ms}
  mail: {python: hooks.made:mail, effect: once, budget: 300ms}
cleanup:
  - run: mail(call.from)
defaults: {next: {failed: bye}}
start: begin
states:
  begin: {run: make(), next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""
HOOKS = """\
from pathlib import Path
from sma_flows.hooks import hook, Reply

HERE = Path(__file__).parent

@hook
def make(_call):
    return Reply("done")

@hook
def unmake(call):
    if not (HERE / "well").exists():
        raise RuntimeError("the other side is down")
    with (HERE / "undone").open("a") as notes:
        notes.write(call.token + "\\n")
    return Reply("done")

@hook
def mail(_call, _who):
    return Reply("done")
"""


def later(**changes: Any) -> Any:
    return an_ask("m-1", cleanup=True, later=True, **changes)


def kept(made: LocalServices) -> list[dict[str, Any]]:
    return sent(made, "clean_up")


@pytest.mark.parametrize("effect", ["keyed", "repeatable", "once"])
def test_what_failed_is_handed_over_once_for_its_token(effect: str) -> None:
    made = services(Counting(RuntimeError("down")))
    for _ in range(2):  # the last HANGUP comes twice
        assert perform(made, later(effect=effect)).outcome == "failed"
    assert "cleanup_later" in reasons(made)
    (item,) = kept(made)
    assert (item["token"], item["payload"]["token"], item["payload"]["args"]) == ("token1", "token1", ["m-1"])
    assert is_job(item["payload"])
    assert is_clean_up(item["payload"])


def test_what_worked_or_is_no_clean_up_is_not() -> None:
    made = services(Counting("ok", RuntimeError("down")))
    assert perform(made, later()).outcome == "ok"
    assert perform(made, an_ask("m-1", cleanup=True)).outcome == "failed"
    assert kept(made) == []


def test_a_secret_is_never_written_down() -> None:
    made = services(Counting(RuntimeError("down")))
    assert perform(made, later()._replace(args=(Secret("482913"),))).outcome == "failed"
    assert "cleanup_lost" in reasons(made)
    assert kept(made) == []
    with pytest.raises(ServiceError, match="not plain"):
        clean_up_of(later()._replace(args=(Secret("482913"),)))


def test_arguments_that_are_tokens_are_known_in_the_plan() -> None:
    types = {
        "join": {"t": "text", "secrecy": "masked"},
        "pin": {"t": "digits", "secrecy": "secret"},
        "room": {"t": "text"},
    }
    flow = FlowProgram({"name": "f", "start": "a", "states": {}, "vars": types}, "r", {})
    assert flow.shows_token([["var", "room"], ["text", ["x ", ["var", "join"]]]])
    assert flow.shows_token([["var", "pin"]])
    assert not flow.shows_token([["var", "room"], ["call", "from"], ["lit", "join"]])


def tidy(folder: Path) -> tuple[Plan, Program]:
    (folder / "tidy.yaml").write_text(FLOW)
    (folder / "hooks").mkdir()
    (folder / "hooks" / "made.py").write_text(HOOKS)
    plan = compile_paths([folder / "tidy.yaml"]).plan
    assert plan is not None
    return plan, Program.load(plan, {})


def job_of(plan: Plan, name: str, **changes: Any) -> dict[str, Any]:
    (revision,) = plan.revisions
    return {**clean_up_of(later(name=name, revision=revision)), "args": [], **changes}


def test_the_second_try_has_the_same_token_and_what_may_happen_once_happens_once(tmp_path: Path) -> None:
    plan, program = tidy(tmp_path)
    made = open_services(plan, {"SMA_FLOWS_STORE": "memory"}, tmp_path / "tidy.yaml").services
    runs: list[str] = []

    def mail(call: Any, *_: Any) -> Reply:
        runs.append(call.token)
        raise RuntimeError("down")

    (revision,) = plan.revisions
    made.functions = {**made.functions, (revision, "mail"): mail}
    job = job_of(plan, "mail", args=["+14155550123"])
    for _ in range(3):
        with pytest.raises(ServiceError, match="failed again"):
            clean_up(job, program, made)
    assert runs == ["token1"], "it may have happened: it is not done again, and somebody has to look"
    assert kept(made) == [], "a second try is not handed over: whoever made it tries again"


def test_a_job_that_nobody_here_can_do_is_refused(tmp_path: Path) -> None:
    plan, program = tidy(tmp_path)
    for wrong in ({"revision": "0" * 12}, {"hook": "other"}, {"clean_up": "calls.dial"}, {"call": 3}):
        with pytest.raises(ServiceError, match="nobody here can do"):
            clean_up_in(job_of(plan, "unmake", **wrong), program)


def test_in_lambda_the_function_invokes_its_own_version(tmp_path: Path) -> None:
    plan, _ = tidy(tmp_path)
    with faulty() as aws:
        aws.answer = lambda _request: (202, "", "")
        env = {
            **ENV,
            "SMA_FLOWS_STORE": str(tmp_path / "store.sqlite"),
            "SMA_FLOWS_SERVICES": "aws",
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_LAMBDA_FUNCTION_NAME": "line",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
        }
        made = open_services(plan, env, tmp_path / "tidy.yaml").services
        (revision,) = plan.revisions
        ask = later(name="unmake", effect="repeatable", revision=revision)._replace(args=())
        assert perform(made, ask).outcome == "failed"
        assert reasons(made) == ["hook_raised", "cleanup_later"]
        (request,) = aws.seen("/functions/line/invocations")
        assert "Qualifier=7" in request.operation
        assert json.loads(request.body)["token"] == "token1"
        aws.answer = lambda _request: (403, "AccessDeniedException", "{}")
        assert perform(made, ask).outcome == "failed"
        assert reasons(made) == ["hook_raised", "cleanup_lost"]


def test_the_function_does_such_a_job_and_fails_so_that_lambda_tries_again(tmp_path: Path) -> None:
    plan, _ = tidy(tmp_path)
    (tmp_path / "plan.json").write_text(plan.dumps())
    env = {"SMA_FLOWS_PLAN": str(tmp_path / "plan.json"), "SMA_FLOWS_STORE": str(tmp_path / "store.sqlite")}
    function = handler.Handler(env)
    assert function.problem == ""
    job = job_of(plan, "unmake")
    with pytest.raises(ServiceError, match="failed again: unmake"):
        function.job(job)
    (tmp_path / "hooks" / "well").touch()
    assert function.job(job) == {"outcome": "done"}
    assert (tmp_path / "hooks" / "undone").read_text() == "token1\n"


def test_what_is_kept_here_is_done_by_hand(tmp_path: Path) -> None:
    plan, _ = tidy(tmp_path)
    store = str(tmp_path / "store.sqlite")
    made = open_services(plan, {"SMA_FLOWS_STORE": store}, tmp_path / "tidy.yaml").services
    (revision,) = plan.revisions
    perform(made, later(name="unmake", effect="repeatable", revision=revision)._replace(args=()))

    def redo(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["redo", str(tmp_path / "tidy.yaml"), "--store", store, *arguments])

    first = redo()
    assert first.exit_code == 1
    assert "t-1 unmake failed hook_raised" in first.output
    (tmp_path / "hooks" / "well").touch()
    second = redo("--json")
    assert second.exit_code == 0
    assert json.loads(second.output) == {"call": "t-1", "what": "unmake", "outcome": "done", "troubles": []}
    assert redo().output == "Nothing waits for another try.\n"
    assert (tmp_path / "hooks" / "undone").read_text() == "token1\n"


@pytest.mark.parametrize("around", ["job", "message", "messages", "envelope"])
def test_a_dead_letter_is_understood_however_it_comes(around: str, tmp_path: Path) -> None:
    plan, _ = tidy(tmp_path)
    (tmp_path / "hooks" / "well").touch()
    job = job_of(plan, "unmake")
    letter = {
        "job": job,
        "message": {"Body": json.dumps(job)},
        "messages": {"Messages": [{"Body": json.dumps(job)}, {"Body": json.dumps({"sma-flows-job": 1})}]},
        "envelope": {"Messages": [{"Body": json.dumps({"requestContext": {}, "requestPayload": job})}]},
    }[around]
    (tmp_path / "letter.json").write_text(json.dumps(letter))
    arguments = ["redo", str(tmp_path / "tidy.yaml"), str(tmp_path / "letter.json"), "--store", "memory"]
    ran = CliRunner().invoke(cli, arguments)
    assert ran.exit_code == 0, ran.output
    assert ran.output == "t-1 unmake done\n"


@pytest.mark.parametrize(("text", "says"), [("{", "is not JSON"), ("{}", "holds no piece of clean-up")])
def test_what_is_no_letter_is_wrong_usage(text: str, says: str, tmp_path: Path) -> None:
    tidy(tmp_path)
    (tmp_path / "letter.json").write_text(text)
    ran = CliRunner().invoke(cli, ["redo", str(tmp_path / "tidy.yaml"), str(tmp_path / "letter.json")])
    assert ran.exit_code == 2
    assert says in ran.output


def test_a_plan_that_leaves_nothing_behind_hands_nothing_over(tmp_path: Path) -> None:
    plan, _ = tidy(tmp_path)
    (revision,) = plan.revisions
    flow = {key: value for key, value in plan.revisions[revision].items() if key not in ("hooks", "cleanup")}
    bare = plan._replace(revisions={revision: {**flow, "hooks": {}, "states": {"bye": {"do": "hangup"}}}})
    env = {**ENV, "SMA_FLOWS_SERVICES": "aws", "AWS_LAMBDA_FUNCTION_NAME": "line"}
    assert open_services(bare, env, tmp_path / "tidy.yaml").services.later is None
