"""What versions of a message type owe to one another, and where they do not keep to it."""
