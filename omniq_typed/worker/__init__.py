"""Takes jobs, runs handlers, keeps leases alive, settles."""
