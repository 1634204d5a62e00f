"""Ids of jobs: short, of the characters that everyone takes, and never twice."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from omniq_typed.messages.envelope import new_job_id, new_job_ids


def test_ids_are_22_characters_that_no_command_takes_for_an_option() -> None:
    ids = [new_job_id() for _ in range(1_000)] + new_job_ids(1_000)
    assert all(re.fullmatch(r"[A-Za-z0-9_.]{22}", each) for each in ids)
    assert len(set(ids)) == 2_000
    assert new_job_ids(0) == []


def test_threads_share_no_id() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = threads.map(lambda _: [new_job_id() for _ in range(2_000)], range(8))
        ids = [each for some in made for each in some]
    assert len(set(ids)) == len(ids) == 16_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_does_not_give_out_its_parents_ids() -> None:
    """Some were made for the next calls when it was forked."""
    new_job_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, " ".join(new_job_id() for _ in range(40)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        of_child = pipe.read().split()
    os.waitpid(child, 0)
    of_parent = [new_job_id() for _ in range(40)]
    assert len(of_child) == 40
    assert not set(of_child) & set(of_parent)
