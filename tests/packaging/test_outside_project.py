"""A project outside of ours installs the wheel with its extra and tests its handlers: under
pytest-xdist, pytest-asyncio and anyio."""

from __future__ import annotations

import venv
from pathlib import Path
from textwrap import dedent

import pytest

from tests.packaging.programs import run

pytestmark = pytest.mark.slow

CONFIG = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
addopts = --strict-markers
"""
ANYIO_CONFIG = """
[pytest]
filterwarnings = error
addopts = --strict-markers
"""
SHOP = """
from dataclasses import dataclass

from omniq_typed import AsyncBus, AsyncCtx, Bus, Ctx, SafeInt, message

bus = Bus("redis://127.0.0.1:1/0")
async_bus = AsyncBus("redis://127.0.0.1:1/0")


@message("shop.ordered", queue="orders")
@dataclass
class Ordered:
    amount: SafeInt


@bus.consumer(Ordered)
def on_ordered(ctx: Ctx[Ordered]) -> None:
    assert ctx.payload.amount < 1_000_000


@async_bus.consumer(Ordered)
async def on_ordered_async(ctx: AsyncCtx[Ordered]) -> None:
    assert ctx.payload.amount < 1_000_000
"""
TESTS = {
    "conftest": """
        import pytest
        import shop

        @pytest.fixture
        def anyio_backend():
            return "asyncio"
    """,
    "test_plain": """
        import pytest
        import shop
        from hypothesis import given, settings
        from omniq_typed.testing import QueueMachine, handler_test, payloads

        @pytest.fixture
        def omniq_app_bus():
            return shop.bus

        @pytest.mark.parametrize("n", range(4))
        def test_real(omniq_bus, n):
            shop.bus.publish_json(shop.Ordered(n))
            assert len(omniq_bus.run_pending().raise_errors()) == 1

        def test_memory(omniq_memory_bus):
            shop.bus.publish_json(shop.Ordered(1))
            assert len(omniq_memory_bus.run_pending().raise_errors()) == 1

        def test_handler():
            assert handler_test(shop.on_ordered, shop.Ordered(1)).completed

        @settings(max_examples=20, deadline=None)
        @given(payloads(shop.Ordered))
        def test_payloads(ordered):
            handler_test(shop.on_ordered, ordered)

        class Machine(QueueMachine):
            app_bus = shop.bus
            messages = payloads(shop.Ordered).filter(lambda ordered: ordered.amount < 1_000_000)

        Machine.TestCase.settings = settings(
            max_examples=5, stateful_step_count=5, deadline=None
        )
        TestMachine = Machine.TestCase
    """,
    "test_asyncio": """
        import pytest
        import shop

        @pytest.fixture
        def omniq_app_bus():
            return shop.async_bus

        async def test_real(omniq_async_bus):
            await shop.async_bus.publish_json(shop.Ordered(1))
            assert len((await omniq_async_bus.run_pending()).raise_errors()) == 1

        async def test_memory(omniq_async_memory_bus):
            await shop.async_bus.publish_json(shop.Ordered(1))
            assert len((await omniq_async_memory_bus.run_pending()).raise_errors()) == 1
    """,
    "test_anyio": """
        import anyio
        import pytest
        import shop

        pytestmark = [pytest.mark.anyio, pytest.mark.omniq(bus=shop.async_bus)]

        async def test_real(omniq_async_bus):
            async with anyio.create_task_group() as group:
                for n in range(3):
                    group.start_soon(shop.async_bus.publish_json, shop.Ordered(n))
            assert len((await omniq_async_bus.run_pending()).raise_errors()) == 3

        async def test_memory(omniq_async_memory_bus):
            await shop.async_bus.publish_json(shop.Ordered(1))
            with anyio.fail_after(20):
                assert len((await omniq_async_memory_bus.run_pending()).raise_errors()) == 1
    """,
}


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel, its extra and the other plugins."""
    folder = tmp_path_factory.mktemp("outside")
    venv.create(folder, with_pip=True)
    interpreter = folder / "bin" / "python"
    requirement = f"omniq-typed[testing] @ {wheel.as_uri()}"
    others = ("pytest-xdist", "pytest-asyncio", "anyio")
    quiet = ("--quiet", "--disable-pip-version-check")
    run(interpreter, "-m", "pip", "install", *quiet, requirement, *others, cwd=folder)
    return interpreter


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text(CONFIG)
    (tmp_path / "anyio.ini").write_text(ANYIO_CONFIG)
    (tmp_path / "shop.py").write_text(SHOP)
    for name, text in TESTS.items():
        (tmp_path / f"{name}.py").write_text(dedent(text))
    return tmp_path


OPTIONS = ("-m", "pytest", "-q", "-p", "no:valkey")


@pytest.mark.parametrize("processes", ["0", "2"])
def test_the_fixtures_work_with_other_plugins(python: Path, project: Path, processes: str) -> None:
    # In auto mode pytest-asyncio would take the tests of anyio over, so it stays out of them.
    said = run(python, *OPTIONS, "-n", processes, "--ignore=test_anyio.py", cwd=project)
    assert "10 passed" in said
    anyio = ("-c", "anyio.ini", "-n", processes, "-p", "no:asyncio", "test_anyio.py")
    said = run(python, *OPTIONS, *anyio, cwd=project)
    assert "2 passed" in said


def test_every_module_of_the_test_kit_can_be_imported(python: Path, tmp_path: Path) -> None:
    program = (
        "import importlib, pkgutil, omniq_typed.testing\n"
        "path = omniq_typed.testing.__path__\n"
        "for found in pkgutil.walk_packages(path, 'omniq_typed.testing.'):\n"
        "    importlib.import_module(found.name)\n"
        "print(path)\n"
    )
    said = run(python, "-W", "error", "-c", program, cwd=tmp_path)
    assert str(python.parents[1]) in said
