"""One program per queue under test, each run in a process and an environment of its own.

`python -m benchmarks.peers.adapters.NAME publisher|worker URL`; `skeleton` has what they share.
Adapters import nothing but their queue, Pydantic where the queue takes it, and the skeleton.
"""
