"""Adapters that need nothing but the standard library: one SQLite file behind every port."""
