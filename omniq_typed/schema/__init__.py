"""JSON Schemas of message types, for other languages."""
