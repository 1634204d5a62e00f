"""GitHub's webhooks over a typed bus; see README.md."""
