"""The pytest plugin, in projects that these tests make. In tests/packaging one installs it from the
wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from omniq_typed.errors import InvalidArgument
from omniq_typed.testing.server import RealServer, given_server, start_server
from tests.servers import Server
from tests.workers import ROOT

pytestmark = pytest.mark.slow

PYTHONPATH = os.pathsep.join([str(ROOT), str(ROOT / "omniq_typed/testing/pytest_plugin")])
PLUGINS = ("-p", "pytest_omniq_typed", "-p", "no:valkey", "-p", "no:cacheprovider")
CONFIG = """
[pytest]
asyncio_default_fixture_loop_scope = function
filterwarnings = error
addopts = --strict-markers
"""
SHOP = """
from dataclasses import dataclass

from omniq_typed import AsyncBus, AsyncCtx, Bus, Ctx, SafeInt, message

bus = Bus("redis://127.0.0.1:1/0", source="shop")
async_bus = AsyncBus("redis://127.0.0.1:1/0", source="shop")


@message("shop.ordered", queue="orders")
@dataclass
class Ordered:
    amount: SafeInt


@message("shop.invoice", queue="invoices")
@dataclass
class Invoice:
    amount: SafeInt


@bus.consumer(Ordered)
def on_ordered(ctx: Ctx[Ordered]) -> None:
    ctx.exec.publish_json(Invoice(ctx.payload.amount))


@async_bus.consumer(Ordered)
async def on_ordered_async(ctx: AsyncCtx[Ordered]) -> None:
    await ctx.exec.publish_json(Invoice(ctx.payload.amount))
"""


def project(folder: Path, **files: str) -> Path:
    """A folder with the application and these test files."""
    (folder / "pytest.ini").write_text(CONFIG)
    (folder / "shop.py").write_text(SHOP)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(dedent(text))
    return folder


def run(folder: Path, *options: str) -> tuple[int, str]:
    """The exit status of pytest in a project, and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGINS, *options],
        cwd=folder,
        # As where the tests themselves run on the second of several workers: it says nothing of
        # the run started here.
        env={
            **os.environ,
            "PYTHONPATH": PYTHONPATH,
            "COLUMNS": "200",
            "PYTEST_XDIST_WORKER": "gw1",
        },
        capture_output=True,
        text=True,
        timeout=110,
    )
    return done.returncode, done.stdout + done.stderr


def passes(folder: Path, *options: str) -> str:
    status, said = run(folder, *options)
    assert status == 0, said
    return said


FIXTURES = """
    import pytest
    import redis
    import shop
    from shop import Invoice, Ordered

    @pytest.fixture
    def omniq_app_bus():
        return shop.bus

    def test_memory(omniq_memory_bus):
        shop.bus.publish_json(Ordered(5))
        omniq_memory_bus.run_pending().raise_errors()
        omniq_memory_bus.assert_published(Invoice, amount=5)

    @pytest.mark.parametrize("n", range(3))
    def test_a_real_server_is_empty_before_each_test(omniq_bus, n):
        assert omniq_bus.jobs() == []
        shop.bus.publish_json(Ordered(n), job_id="the same")
        assert len(omniq_bus.run_pending().raise_errors()) == 1
        assert [job.message for job in omniq_bus.completed()] == [Ordered(n)]

    def test_it_has_a_port_for_all(omniq_server):
        other = redis.Redis(host=omniq_server.host, port=omniq_server.port)
        assert other.dbsize() == 0 and omniq_server.port != 6379
        other.close()

    @pytest.mark.omniq(bus=shop.async_bus)
    class TestAsync:
        @pytest.mark.asyncio
        async def test_memory(self, omniq_async_memory_bus):
            await shop.async_bus.publish_json(Ordered(5))
            (await omniq_async_memory_bus.run_pending()).raise_errors()
            omniq_async_memory_bus.assert_published(Invoice, amount=5)

        @pytest.mark.asyncio
        @pytest.mark.parametrize("n", range(2))
        async def test_real(self, omniq_async_bus, n):
            await shop.async_bus.publish_json(Ordered(n))
            (await omniq_async_bus.run_pending()).raise_errors()
            assert omniq_async_bus.published(Invoice) == [Invoice(n)]
"""


def test_fixtures_take_the_application_over(tmp_path: Path) -> None:
    folder = project(tmp_path, test_shop=FIXTURES)
    assert "8 passed" in passes(folder)


def test_options_and_mistakes(tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        test_options="""
            import pytest
            import shop
            from omniq_typed import Registry
            from shop import Ordered

            @pytest.mark.omniq(source="test", registry=Registry())
            def test_options_are_those_of_a_bus(omniq_memory_bus):
                with pytest.raises(Exception, match="is no message type"):
                    omniq_memory_bus.publish_json(Ordered(1))

            def test_without_an_application_there_is_a_bus_all_the_same(omniq_memory_bus):
                omniq_memory_bus.publish_json(Ordered(1))
                assert len(omniq_memory_bus.pending()) == 1

            @pytest.mark.omniq(bus=shop.async_bus)
            def test_wrong_kind(omniq_memory_bus): ...

            @pytest.mark.omniq(bus=shop.bus, source="x")
            def test_both(omniq_memory_bus): ...
        """,
    )
    status, said = run(folder)
    assert status == 1 and "2 passed, 2 errors" in said, said
    assert "is no Bus; the fixtures omniq_bus and omniq_memory_bus are for a Bus" in said
    assert "the application's bus has its own source; leave them out" in said


@pytest.mark.slow
def test_tests_with_a_real_server_can_be_left_out(tmp_path: Path) -> None:
    folder = project(tmp_path, test_shop=FIXTURES)
    assert "2 passed, 6 deselected" in passes(folder, "-m", "not omniq_server")


def test_a_project_without_the_extra_is_not_troubled(tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        conftest="""
            import sys

            class Missing:
                def find_spec(self, name, path=None, target=None):
                    if name.partition(".")[0] in ("fakeredis", "lupa", "hypothesis"):
                        raise ImportError(name)

            sys.meta_path.insert(0, Missing())

            def pytest_sessionstart():
                assert "omniq_typed" not in sys.modules  # it costs a second
        """,
        test_own="""
            def test_own(): ...

            def test_memory(omniq_memory_bus): ...
        """,
    )
    status, said = run(folder, "-p", "no:hypothesispytest")
    assert status == 1 and "1 passed, 1 error" in said, said
    assert "pip install 'omniq-typed[testing]'" in said


@pytest.mark.slow
def test_each_process_of_xdist_has_a_server_of_its_own(tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        test_many="""
            import os
            import pathlib
            import pytest

            @pytest.mark.parametrize("n", range(8))
            def test_alone(omniq_server, n):
                assert omniq_server.client.dbsize() == 0
                omniq_server.client.set("mine", os.environ["PYTEST_XDIST_WORKER"])
                pathlib.Path(f"port-{omniq_server.port}").touch()
                assert omniq_server.client.get("mine").decode() == os.environ["PYTEST_XDIST_WORKER"]
        """,
    )
    assert "8 passed" in passes(folder, "-n", "2", "--dist", "load")
    assert len(list(folder.glob("port-*"))) == 2


@pytest.mark.slow
def test_a_server_of_the_users(tmp_path: Path, redis_server: Server) -> None:
    redis_server.flushall()
    folder = project(tmp_path, test_shop=FIXTURES)
    url = f"--omniq-url=redis://{redis_server.host}:{redis_server.port}/3"
    assert "8 passed" in passes(folder, url)
    assert "8 passed" in passes(folder, url, "-n", "2")
    assert redis_server.command("INFO", "keyspace") == {}  # all that was written is removed
    redis_server.command("SET", "precious", "1")
    status, said = run(folder, url.replace("/3", "/0"))
    assert status == 1 and "holds 1 keys, and the tests would remove them" in said
    assert redis_server.command("GET", "precious") == b"1"


# The servers themselves


def test_a_server_of_our_own_ends_with_its_last_user(tmp_path: Path) -> None:
    server = start_server(tmp_path)
    assert re.fullmatch(r"redis://127\.0\.0\.1:\d+/0", server.url)
    server.client.set("a", 1)
    server.flush()
    assert server.client.dbsize() == 0
    server.close()


@pytest.mark.parametrize(
    ("url", "worker", "database"),
    [
        ("redis://{}:{}", "", 0),
        ("redis://{}:{}/2", "gw0", 2),
        ("redis://{}:{}/2", "gw3", 5),
        ("redis://{}:{}?db=1", "", 1),
        ("redis://{}:{}/7?db=1", "gw2", 3),
    ],
)
def test_each_worker_has_a_database_behind_the_given_one(
    redis_server: Server, url: str, worker: str, database: int
) -> None:
    redis_server.flushall()
    server = given_server(url.format(redis_server.host, redis_server.port), worker)
    server.client.set("a", 1)
    assert redis_server.command("INFO", "keyspace")[f"db{database}"]["keys"] == 1
    server.flush()
    server.close()


def test_a_unix_socket_has_databases_too() -> None:
    server = RealServer("unix:///run/x.sock?db=1")
    assert (server.host, server.port) == ("", 0)


@pytest.mark.parametrize("url", ["memory://x", "embedded://", "http://h"])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument, match=r"--omniq-url: .* is no redis://, rediss:// or unix"):
        given_server(url, "")
