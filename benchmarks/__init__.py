"""Benchmarks; what they share is in `measuring`. Nothing is imported here: the adapters of
`benchmarks.peers` run in environments that hold nothing of ours."""
