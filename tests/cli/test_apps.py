"""Which APPs are taken, and what is said of those that are not."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Project

EXPORT = ("schema", "export")


@pytest.mark.parametrize(
    ("app", "more"),
    [
        ("app:bus", ""),
        ("app:registry", ""),
        ("app:make", "def make():\n    return bus"),
        ("app:make", "def make(registry=registry):\n    return registry"),
        ("app:make", "import functools\nmake = functools.partial(lambda it: it, bus)"),
        ("app:shop.bus", "class shop:\n    bus = bus"),
        (
            "app:later",
            "from omniq_typed import AsyncBus\n"
            "later = AsyncBus('redis://localhost:1/0', registry=registry)",
        ),
    ],
)
def test_an_app_is_a_bus_a_registry_or_what_gives_one(
    project: Project, app: str, more: str
) -> None:
    project.write_orders("number: int", more=more)
    assert project.run(*EXPORT, app).stdout == "1 message type, 3 files written in schemas\n"


def test_a_module_of_a_package(project: Project) -> None:
    project.write_orders("number: int")
    project.write("shop/__init__.py", "")
    (project.root / "app.py").rename(project.root / "shop/buses.py")
    project.run(*EXPORT, "shop.buses:bus")


def test_several_apps_are_exported_together_and_a_shared_registry_once(project: Project) -> None:
    project.write_orders("number: int")
    project.write(
        "billing.py",
        """
        from pydantic import BaseModel
        from omniq_typed import Registry, message
        from app import registry

        other = Registry()

        @message("invoices.due", registry=other)
        class InvoiceDue(BaseModel):
            number: int
        """,
    )
    said = project.run(*EXPORT, "app:bus", "billing:registry", "billing:other").stdout
    assert said == "2 message types, 5 files written in schemas\n"


def test_two_types_under_one_name_are_an_error(project: Project) -> None:
    project.write_orders("number: int")
    text = (project.root / "app.py").read_text()
    project.write("same.py", text)
    project.write("other.py", text.replace("number: int", "number: str"))
    assert project.run(*EXPORT, "app:bus", "same:bus").exit_code == 0
    said = project.run(*EXPORT, "app:bus", "other:bus", status=2).stderr
    assert "orders.created v1 is one type at" in said and "other.py:" in said


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("ap:bus", "there is no module 'ap' in {root} or on Python's path; did you mean app?"),
        ("nowhere", "there is no module 'nowhere' in {root} or on Python's path"),
        ("shop.busses", "there is no module 'busses' in shop; did you mean buses?"),
        ("app.bus", "app.bus is no module; did you mean app:bus?"),
        ("app.zzz", "there is no module 'zzz' in app"),
        ("app:buss", "app has no attribute 'buss'; did you mean bus?"),
        ("app:zzz", "app has no attribute 'zzz'; it has registry, bus"),
        ("app:bus.zzz", "Bus has no attribute 'zzz'"),
        ("app:OrderCreated", "app:OrderCreated is a class; name a Bus, an AsyncBus"),
        ("app:number", "app:number is of the type int; name a Bus"),
        ("app:later", "app:later is an async function; name a Bus"),
        ("app:of", "app:of cannot be called without arguments; name a Bus"),
        ("app:nothing", "app:nothing is of the type NoneType; name a Bus"),
        ("app:empty", "app:empty: no message type is registered there"),
        ("app.py", "'app.py' is no app: write module:attribute or module, as in an import; is it"),
        ("shop/buses.py:bus", "as in an import; is it shop.buses?"),
        ("app:", "'app:' is no app"),
        (":bus", "':bus' is no app"),
        ("", "'' is no app"),
    ],
)
def test_what_is_wrong_with_an_app_is_said(project: Project, app: str, said: str) -> None:
    more = """
        number = 1
        empty = Registry()
        async def later(): ...
        def of(name): ...
        def nothing(): ...
    """
    project.write_orders("number: int", more=more)
    project.write("shop/__init__.py", "")
    project.write("shop/buses.py", "")
    result = project.run(*EXPORT, app, status=2)
    assert result.stderr.startswith("error: ")
    assert said.format(root=project.root) in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (project.root / "schemas").exists()


def test_an_import_that_fails_shows_the_frames_of_the_user(project: Project) -> None:
    project.write("app.py", "import settings")
    project.write("settings.py", "import json\n\n\ndef load():\n    json.loads('{')\n\n\nload()\n")
    assert project.run(*EXPORT, "app", status=2).stderr.splitlines() == [
        "error: importing app failed: json.decoder.JSONDecodeError: Expecting property name"
        " enclosed in double quotes: line 1 column 2 (char 1)",
        "  app.py:1, in <module>",
        "    import settings",
        "  settings.py:8, in <module>",
        "    load()",
        "  settings.py:5, in load",
        "    json.loads('{')",
    ]


def test_a_module_that_the_app_misses_is_not_taken_for_the_app(project: Project) -> None:
    project.write("app.py", "import not_installed")
    said = project.run(*EXPORT, "app", status=2).stderr
    assert "importing app failed: ModuleNotFoundError: No module named 'not_installed'" in said
    assert "app.py:1" in said


def test_a_syntax_error_is_shown_at_its_line(project: Project) -> None:
    project.write("app.py", "bus = = 1\n")
    said = project.run(*EXPORT, "app", status=2).stderr
    assert "importing app failed" in said and "SyntaxError" in said and "line 1" in said
    assert "importlib" not in said


def test_a_factory_that_fails_shows_its_frames(project: Project) -> None:
    project.write("app.py", "def make():\n    raise RuntimeError('no database')\n")
    said = project.run(*EXPORT, "app:make", status=2).stderr
    assert "error: calling app:make failed: RuntimeError: no database\n  app.py:2, in make" in said


def test_a_program_without_a_main_guard_is_told_so(project: Project) -> None:
    project.write("app.py", "raise SystemExit(0)")
    said = project.run(*EXPORT, "app", status=2).stderr
    assert "importing app ended the program (SystemExit: 0); put what" in said


def test_a_type_that_is_refused_at_import_is_told_with_its_place(project: Project) -> None:
    project.write_orders("number: int", more="message('no spaces')(OrderCreated)")
    said = project.run(*EXPORT, "app", status=2).stderr
    assert "InvalidMessageType: name: 'no spaces' is none" in said
    assert "app.py:1" in said and "site-packages" not in said


def test_what_an_app_prints_stays_out_of_the_output(project: Project) -> None:
    project.write_orders("number: int", more="print('hello')")
    result = project.run("asyncapi", "app:bus")
    assert result.stdout.startswith("{")
    assert result.stderr == "hello\n"
