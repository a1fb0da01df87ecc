"""From flows to a running function: the package, its permissions, the template, roll-outs, and the real runtime here.

:mod:`~sma_flows.deploy.package` builds what Lambda gets, :mod:`~sma_flows.deploy.policy` says what it must be allowed,
:mod:`~sma_flows.deploy.emulator` runs it on this machine. Nothing of this room is loaded in a live call, except that
:mod:`~sma_flows.deploy.resources` is the handler of a function of its own, for what CloudFormation has no types for.
"""
