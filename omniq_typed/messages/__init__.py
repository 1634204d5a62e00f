"""Typed messages: what a type is called, how it is checked, written and read."""
