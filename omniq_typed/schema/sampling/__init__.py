"""Payloads made up from a schema."""
