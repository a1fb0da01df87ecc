"""What the template promises, beside what cfn-lint and SAM say of it (`make template`)."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sma_flows.deploy.package import RUNTIME
from sma_flows.deploy.resources import KINDS
from sma_flows.deploy.template import read_template

ROOT = Path(__file__).parent.parent
SERVICE = "voiceconnector.chime.amazonaws.com"


class _Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as (name, argument)."""


def _tagged(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> tuple[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return name, loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return name, loader.construct_sequence(node, deep=True)
    return name, loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _tagged)


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)
    return loaded


def properties(template: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = template["Resources"][name]["Properties"]
    return found


def of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in template["Resources"].items() if each["Type"] == kind}


def below(node: object) -> list[object]:
    """Every node of a template."""
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    return [node, *(found for part in parts for found in below(part))]


def references(node: object) -> set[str]:
    """What a template refers to: parameters, resources, conditions aside."""
    found = set()
    for each in below(node):
        if isinstance(each, tuple) and each[0] in ("Ref", "GetAtt"):
            found.add(str(each[1]).partition(".")[0])
        if isinstance(each, tuple) and each[0] == "Sub":
            text = each[1] if isinstance(each[1], str) else each[1][0]
            own = set() if isinstance(each[1], str) else set(each[1][1])
            found |= {name for name in re.findall(r"\$\{(\w+(?:::\w+)?)", text) if name not in own}
    return {name for name in found if not name.startswith("AWS::")}


# ---- the function --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CallFunction", "VoiceFunction", "WebFunction"])
def test_the_handlers_of_the_template_are_there_and_are_built(template: dict[str, Any], name: str) -> None:
    function = template["Resources"][name]
    module, _, handler = function["Properties"]["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), handler))
    assert function["Metadata"] == {"BuildMethod": "makefile"}
    assert f"build-{name}:" in (ROOT / function["Properties"]["CodeUri"] / "Makefile").read_text()
    assert (function["Properties"]["Runtime"], function["Properties"]["Architectures"]) == (RUNTIME, ["arm64"])


def test_the_function_ends_before_the_service_does(template: dict[str, Any]) -> None:
    assert 5 < properties(template, "CallFunction")["Timeout"] < 20


def test_the_function_is_told_where_its_plan_is(template: dict[str, Any]) -> None:
    variables = properties(template, "CallFunction")["Environment"]["Variables"]
    assert {"SMA_FLOWS_PLAN", "SMA_FLOWS_STORE", "SMA_FLOWS_SERVICES", "SMA_FLOWS_ROLLOUT"} <= variables.keys()


def test_the_alias_follows_every_parameter_that_the_function_reads(template: dict[str, Any]) -> None:
    """Otherwise a changed parameter would not reach a call (decision 0060)."""
    variables = properties(template, "CallFunction")["Environment"]["Variables"]
    read = references(variables) & set(template["Parameters"])
    read |= {name for name in ("FrontDeskNumber",) if name in read}
    follows = references(properties(template, "CallVersion")["Follows"])
    assert read <= follows
    assert "CallFunction" in follows
    assert properties(template, "CallAlias")["FunctionVersion"] == ("GetAtt", "CallVersion.Version")


def test_no_traffic_is_shifted_by_weight(template: dict[str, Any]) -> None:
    assert "DeploymentPreference" not in properties(template, "CallFunction")
    assert "RoutingConfig" not in properties(template, "CallAlias")


def test_the_service_may_invoke_the_alias_for_this_account_only(template: dict[str, Any]) -> None:
    permission = properties(template, "CallPermission")
    assert permission == {
        "FunctionName": ("Ref", "CallAlias"),
        "Action": "lambda:InvokeFunction",
        "Principal": SERVICE,
        "SourceAccount": ("Ref", "AWS::AccountId"),
    }
    for name in ("Application", "ApplicationInUsWest2"):
        assert template["Resources"][name]["DependsOn"] == "CallPermission"


def test_what_fails_outside_a_call_is_kept_and_reported(template: dict[str, Any]) -> None:
    """The function invokes its own version, for which no setting of the alias holds."""
    queue = properties(template, "CallFunction")["DeadLetterQueue"]
    assert queue == {"Type": "SQS", "TargetArn": ("GetAtt", "DeadLetters.Arn")}
    assert of_type(template, "AWS::Lambda::EventInvokeConfig") == {}
    assert properties(template, "DeadLetterAlarm")["Dimensions"][0]["Value"] == ("GetAtt", "DeadLetters.QueueName")


# ---- what the service may do (contract 4.20) -----------------------------------------------------------------------

S3_SOURCE = (
    "arn:${AWS::Partition}:chime:${AWS::Region}:${AWS::AccountId}:sma/${ApplicationLogging.SipMediaApplicationId}"
)
LEX_SOURCE = S3_SOURCE.replace(":chime:", ":voiceconnector:")


def service_statements(template: dict[str, Any], name: str) -> dict[str, Any]:
    found = properties(template, name)
    statements = (found.get("PolicyDocument") or found["Policy"])["Statement"]
    return {json.dumps(each["Action"]): each for each in statements}


def test_the_service_reads_prompts_and_writes_and_reads_recordings_and_nothing_else(template: dict[str, Any]) -> None:
    wanted = {
        "PromptsPolicy": ['"s3:GetObject"'],
        "RecordingsPolicy": ['["s3:PutObject", "s3:PutObjectAcl"]', '"s3:GetObject"'],
    }
    assert set(of_type(template, "AWS::S3::BucketPolicy")) == set(wanted)
    for name, actions in wanted.items():
        found = service_statements(template, name)
        assert list(found) == actions
        for statement in found.values():
            assert statement["Principal"] == {"Service": SERVICE}
            assert statement["Resource"] == ("Sub", f"${{{name.removesuffix('Policy')}.Arn}}/*")
            assert statement["Condition"] == {
                "StringEquals": {"aws:SourceAccount": ("Ref", "AWS::AccountId")},
                "ArnEquals": {"aws:SourceArn": ("Sub", S3_SOURCE)},
            }


def test_the_service_talks_to_the_bot_as_this_application(template: dict[str, Any]) -> None:
    (statement,) = service_statements(template, "BotPermission").values()
    assert (statement["Action"], statement["Principal"]) == ("lex:StartConversation", {"Service": SERVICE})
    assert statement["Condition"] == {
        "StringEquals": {"AWS:SourceAccount": ("Ref", "AWS::AccountId")},
        "ArnEquals": {"AWS:SourceArn": ("Sub", LEX_SOURCE)},
    }


def test_buckets_are_closed_to_the_world_and_outlive_the_stack(template: dict[str, Any]) -> None:
    for bucket in of_type(template, "AWS::S3::Bucket").values():
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["Properties"]["BucketEncryption"]
        assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")


# ---- the telephone side --------------------------------------------------------------------------------------------


def test_the_application_is_native_where_cloudformation_has_the_type(template: dict[str, Any]) -> None:
    resources = template["Resources"]
    assert resources["Application"]["Type"] == "AWS::Chime::SipMediaApplication"
    conditions = resources["Application"]["Condition"], resources["ApplicationInUsWest2"]["Condition"]
    native, own = (template["Conditions"][name] for name in conditions)
    assert native == ("Not", [own])
    assert own == ("Equals", [("Ref", "AWS::Region"), "us-west-2"])


def test_every_custom_resource_is_one_that_there_is(template: dict[str, Any]) -> None:
    custom = {name: each for name, each in template["Resources"].items() if each["Type"].startswith("Custom::")}
    assert {each["Type"] for each in custom.values()} == set(KINDS)
    for name, each in custom.items():
        kind, given = KINDS[each["Type"]], set(each["Properties"]) - {"ServiceToken", "ServiceTimeout"}
        assert given <= set(kind.known), name
        assert {key for key, must in kind.known.items() if must} <= given, name
        assert each["Properties"]["ServiceToken"] == ("GetAtt", "VoiceFunction.Arn")


def test_every_number_has_a_rule_with_a_second_region_behind_this_one(template: dict[str, Any]) -> None:
    rules = of_type(template, "Custom::SipRule")
    assert len(rules) == len(of_type(template, "Custom::PhoneNumber")) == 4
    for name, rule in rules.items():
        wanted = rule["Properties"]
        here, there = wanted["TargetApplications"]
        assert (here["AwsRegion"], here["Priority"]) == (("Ref", "AWS::Region"), 1)
        assert there[1][0] == "HasSecondRegion"
        assert there[1][1]["Priority"] == 2
        assert wanted["TriggerValue"] == properties(template, name.replace("Rule", "Phone"))["E164PhoneNumber"]
        assert wanted["Disabled"] == ("If", ["IsDisabled", True, False])
        assert rule["DependsOn"] == name.replace("Rule", "Phone")
        assert rule["Condition"] == template["Resources"][name.replace("Rule", "Phone")]["Condition"]


def test_numbers_that_the_routes_name_are_the_numbers_of_the_rules(template: dict[str, Any]) -> None:
    variables = properties(template, "CallFunction")["Environment"]["Variables"]
    for env, rule in {"DIAL_IN_NUMBER": "DialIn", "VOICEMAIL_NUMBER": "Voicemail", "BOT_NUMBER": "Bot"}.items():
        assert variables[env][1][1] == properties(template, f"{rule}Rule")["TriggerValue"]


# ---- operation -----------------------------------------------------------------------------------------------------


def test_records_are_kept_for_a_limited_time(template: dict[str, Any]) -> None:
    groups = of_type(template, "AWS::Logs::LogGroup")
    assert set(groups) == {"CallLogs", "VoiceLogs", "MessageLog", "WebLogs", "WebAccessLogs"}
    assert {each["Properties"]["RetentionInDays"] for each in groups.values()} == {("Ref", "LogRetentionDays")}
    assert properties(template, "CallFunction")["LoggingConfig"]["LogGroup"] == ("Ref", "CallLogs")
    assert template["Resources"]["ApplicationLogging"]["DependsOn"] == "MessageLog"


def test_the_table_is_the_one_that_the_store_expects(template: dict[str, Any]) -> None:
    table = properties(template, "Store")
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_alarms_and_the_dashboard_count_what_the_handler_counts(template: dict[str, Any]) -> None:
    files = ("src/sma_flows/handler.py", "src/sma_flows/services/records.py")
    source = "".join((ROOT / file).read_text() for file in files)
    counted = {
        each["Properties"]["MetricName"]
        for each in of_type(template, "AWS::CloudWatch::Alarm").values()
        if each["Properties"]["Namespace"] == "SmaFlows"
    }
    body = json.loads(properties(template, "Dashboard")["DashboardBody"][1])
    shown = [metric for widget in body["widgets"] for metric in widget["properties"]["metrics"]]
    counted |= {metric[1] for metric in shown if metric[0] == "SmaFlows"}
    searched = [metric[0]["expression"] for metric in shown if isinstance(metric[0], dict)]
    searched = [each for each in searched if "{SmaFlows," in each]
    counted |= {found for each in searched for found in re.findall(r'MetricName="(\w+)"', each)}
    assert searched
    assert [name for name in sorted(counted) if f'"{name}"' not in source] == []
    assert 'NAMESPACE: Final = "SmaFlows"' in source


def test_every_alarm_goes_to_the_topic_if_there_is_one(template: dict[str, Any]) -> None:
    for alarm in of_type(template, "AWS::CloudWatch::Alarm").values():
        assert alarm["Properties"]["AlarmActions"][1][:2] == ["HasAlarmTopic", [("Ref", "AlarmTopic")]]
        assert alarm["Properties"]["AlarmDescription"]


def test_every_parameter_is_described_used_and_shown(template: dict[str, Any]) -> None:
    used = references({key: value for key, value in template.items() if key not in ("Parameters", "Metadata")})
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(template["Parameters"])
    for name, parameter in template["Parameters"].items():
        assert len(parameter["Description"]) > 15, name
        assert name in used, name


def test_every_reference_leads_somewhere(template: dict[str, Any]) -> None:
    assert references(template) <= {*template["Parameters"], *template["Resources"]}


def test_no_permission_is_a_wildcard(template: dict[str, Any]) -> None:
    for role in of_type(template, "AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]
        actions = [
            each for each in below(role) if isinstance(each, str) and re.fullmatch(r"[a-z0-9]+:[A-Z*]\w*\**", each)
        ]
        assert actions
        assert [each for each in actions if "*" in each] == []


# ---- click-to-call -------------------------------------------------------------------------------------------------


def test_without_an_origin_nothing_of_click_to_call_is_made(template: dict[str, Any]) -> None:
    assert template["Parameters"]["WebOrigin"]["Default"] == ""
    assert template["Conditions"]["HasWeb"] == ("Not", [("Equals", [("Ref", "WebOrigin"), ""])])
    web = {name: each for name, each in template["Resources"].items() if name.startswith("Web")}
    assert len(web) > 10
    assert {name: each.get("Condition") for name, each in web.items()} == {
        name: "WebByToken" if name == "WebAuthorizer" else "HasWeb" for name in web
    }
    needed = [name for name, each in template["Resources"].items() if name not in web and references(each) & set(web)]
    assert needed == [], "the line does not need the page"


def test_tokens_need_an_issuer_and_an_audience(template: dict[str, Any]) -> None:
    rule = template["Rules"]["TokensAreOfAnIssuer"]
    assert rule["RuleCondition"] == template["Conditions"]["WebByToken"]
    asserted = [each["Assert"] for each in rule["Assertions"]]
    assert asserted == [("Not", [("Equals", [("Ref", name), ""])]) for name in ("WebIssuer", "WebAudience")]


def test_every_route_of_click_to_call_has_an_authorizer_and_there_are_as_many_as_the_function_has(
    template: dict[str, Any],
) -> None:
    from sma_flows.web.function import ROUTES

    routes = of_type(template, "AWS::ApiGatewayV2::Route")
    assert {each["Properties"]["RouteKey"] for each in routes.values()} == ROUTES
    for route in routes.values():
        assert route["Properties"]["AuthorizationType"] == ("If", ["WebByToken", "JWT", "AWS_IAM"])
        assert route["Properties"]["AuthorizerId"][1][1] == ("Ref", "WebAuthorizer")
    assert set(routes) == set(template["Resources"]["WebStage"]["DependsOn"])


def test_one_page_may_ask_and_no_other_one(template: dict[str, Any]) -> None:
    cors = properties(template, "WebApi")["CorsConfiguration"]
    assert cors["AllowOrigins"] == [("Ref", "WebOrigin")]
    assert "AllowCredentials" not in cors
    assert re.fullmatch(template["Parameters"]["WebOrigin"]["AllowedPattern"], "*") is None
    assert set(cors["AllowMethods"]) == {"GET", "POST", "DELETE"}


def test_what_the_function_of_the_page_needs_to_know_it_is_told(template: dict[str, Any]) -> None:
    from sma_flows.web.settings import Settings

    variables = properties(template, "WebFunction")["Environment"]["Variables"]
    documented = set(
        re.findall(r"``((?:SMA_FLOWS_)?WEB_\w+)``", importlib.import_module(Settings.__module__).__doc__ or "")
    )
    optional = {"SMA_FLOWS_WEB_FLOW", "SMA_FLOWS_WEB_KINDS", "SMA_FLOWS_WEB_MEDIA_REGION"}
    assert documented - optional <= variables.keys()
    assert {name for name in variables if "WEB_" in name} - documented <= {
        "SMA_FLOWS_WEB_PER_DESTINATION",
        "SMA_FLOWS_WEB_PER_TENANT",
    }
    shared = properties(template, "CallFunction")["Environment"]["Variables"]
    assert variables["WEB_CALLS"] == shared["WEB_CALLS"], "the flow writes into the rows of the API"
    assert variables["SMA_FLOWS_STORE"] == shared["SMA_FLOWS_STORE"]


def test_requests_are_throttled_and_logged_without_ids_and_addresses(template: dict[str, Any]) -> None:
    stage = properties(template, "WebStage")
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
    assert stage["RouteSettings"]["POST /calls"]["ThrottlingRateLimit"] <= 10
    logged = json.loads(stage["AccessLogSettings"]["Format"])
    assert set(logged.values()) == {
        "$context.requestId",
        "$context.requestTime",
        "$context.routeKey",
        "$context.status",
        "$context.responseLatency",
        "$context.authorizer.error",
        "$context.integrationErrorMessage",
    }


def test_only_this_api_may_invoke_the_function_of_the_page(template: dict[str, Any]) -> None:
    permission = properties(template, "WebPermission")
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert "${WebApi}/$default/" in permission["SourceArn"][1]


def test_the_reader_of_templates_sees_what_the_loader_sees(template: dict[str, Any]) -> None:
    read = read_template(ROOT / "template.yaml")
    assert set(read.resources) == set(template["Resources"])
    assert read.function is not None
    assert set(read.variables) == set(properties(template, "CallFunction")["Environment"]["Variables"])
