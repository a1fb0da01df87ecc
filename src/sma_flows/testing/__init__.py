"""Calls as tests: `*.calls.yaml` files say what a caller does and hears; here they are read and played."""
