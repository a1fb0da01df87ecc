"""Catalogue of SF6xx: flows and the template that deploys them."""

from __future__ import annotations

from typing import Final

from sma_flows.flow.codes_base import Code

CODES: Final[tuple[Code, ...]] = (
    Code(
        "SF601",
        "template-unreadable",
        "error",
        "The template cannot be read.",
        "Nothing can be said about what it deploys.",
        "Resources:\n  CallFunction: [",
        "Resources:\n  CallFunction:\n    Type: AWS::Serverless::Function",
    ),
    Code(
        "SF602",
        "no-call-function",
        "error",
        "The template has no function that answers calls.",
        "The SIP media application would invoke something else, or nothing.",
        "Handler: app.handler",
        "Handler: sma_flows.handler.lambda_handler",
    ),
    Code(
        "SF603",
        "value-not-in-template",
        "error",
        "A flow reads a value of the environment that the template does not give to the function.",
        "The plan does not load, and every caller hears the last goodbye.",
        "Environment:\n  Variables: {PROMPTS: !Ref Prompts}     # a flow bridges to env.SALES_NUMBER",
        "Environment:\n  Variables: {PROMPTS: !Ref Prompts, SALES_NUMBER: !Ref SalesNumber}",
    ),
    Code(
        "SF604",
        "value-nobody-reads",
        "warning",
        "The template gives the function a value that no flow and no hook reads.",
        "A misspelt name looks like this, and so does what was forgotten when a flow went.",
        "Variables: {SALES_NUMER: !Ref SalesNumber}",
        "Variables: {SALES_NUMBER: !Ref SalesNumber}",
    ),
    Code(
        "SF605",
        "permission-missing",
        "error",
        "The function's role does not allow what a flow needs.",
        "The call would meet AccessDenied there and go on with its outcome `failed`.",
        "Statement: []     # a flow joins callers to meetings",
        "Statement:     # sma-flows policy flows --template template.yaml --format cloudformation",
    ),
    Code(
        "SF606",
        "permission-not-needed",
        "warning",
        "The function's role allows what no flow needs.",
        "Whoever finds a hole in a hook gets that permission, too.",
        'Action: "dynamodb:*"',
        "Action: [dynamodb:GetItem, dynamodb:UpdateItem]",
    ),
    Code(
        "SF607",
        "bucket-closed-to-service",
        "error",
        "The service may not use a bucket that flows name.",
        "It reads prompts and writes recordings itself: callers would hear silence, and what they say would be lost.",
        "Prompts: {Type: AWS::S3::Bucket}",
        "PromptsPolicy:\n  Type: AWS::S3::BucketPolicy     # s3:GetObject for the voice service",
    ),
    Code(
        "SF608",
        "bot-closed-to-service",
        "warning",
        "The template does not let the service talk to a bot that flows name.",
        "StartBotConversation would fail with AccessDenied, unless the permission was given elsewhere.",
        "BOT_ALIAS: !Ref BotAlias",
        "BotPermission:\n  Type: AWS::Lex::ResourcePolicy     # lex:StartConversation for the voice service",
    ),
    Code(
        "SF609",
        "function-closed-to-service",
        "error",
        "The service may not invoke the function.",
        'Its log says "Access denied while invoking the AWS Lambda function", and the call ends.',
        "Resources: {CallFunction: {Type: AWS::Serverless::Function}}",
        "CallPermission:\n  Type: AWS::Lambda::Permission     # for voiceconnector.chime.amazonaws.com",
    ),
    Code(
        "SF610",
        "calls-split-by-weight",
        "error",
        "The template shifts traffic between versions by weight.",
        "A weight is drawn for each event: one call meets two versions, and the older does not know the newer's flows.",
        "DeploymentPreference: {Type: Canary10Percent5Minutes}",
        "# sma-flows rollout set FLOW 10     (decided once for each call)",
    ),
)
