"""The edge: everything that a live call asks of the world.

:class:`~sma_flows.services.dispatch.LocalServices` performs what the pure step asks for, through the ports of
:mod:`sma_flows.services.ports`; :func:`~sma_flows.services.setup.open_services` puts one together from the plan and
the environment. The adapters are in ``local`` (SQLite) and ``aws`` (boto3).
"""
