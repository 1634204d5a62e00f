"""Single changes to a valid payload that its type does not allow."""
