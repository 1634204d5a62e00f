"""The APP of a command: the user's program, by `module:attribute` or `module`."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import click

from omniq_typed.async_bus import AsyncBus
from omniq_typed.bus import Bus
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry, default_registry

F = TypeVar("F", bound=Callable[..., Any])

_KINDS = "a Bus, an AsyncBus, a Registry, or a function without parameters that gives one"
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class App:
    """What an APP names: a registry of message types, and the bus where it is one."""

    spec: str
    registry: Registry
    bus: Bus | AsyncBus | None = None


class BadApp(click.ClickException):
    """An APP that cannot be found, imported or used."""

    exit_code = 2


def apps_argument(function: F) -> F:
    """One or more APPs."""
    return click.argument("apps", nargs=-1, required=True, metavar="APP...")(function)


def load(specs: Iterable[str]) -> list[App]:
    """Imports the user's programs, from the current directory too. What they print goes to
    stderr. Raises BadApp, also where they have no message type at all."""
    _import_from_here()
    apps = [_load(spec) for spec in specs]
    if not types_of(apps):
        raise BadApp(_no_types(apps))
    return apps


def load_bus(spec: str) -> Bus | AsyncBus:
    """Imports the user's program for its bus. What it prints goes to stderr. Raises BadApp, also
    where the bus has no consumer."""
    _import_from_here()
    app = _load(spec)
    if app.bus is None:
        module = sys.modules[spec.partition(":")[0]]
        raise BadApp(f"{spec} is no bus, which a worker needs{_usable(module, (Bus, AsyncBus))}")
    if not app.bus.handlers():
        raise BadApp(
            f"{spec} has no consumer; add one with @bus.consumer(...), or, where other modules have"
            " them, name a module that imports those"
        )
    return app.bus


def _import_from_here() -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def types_of(apps: Iterable[App]) -> list[MessageType[Any]]:
    """The message types of all apps, by name and version. Raises BadApp where two registries have
    another type each under one name and version."""
    found: dict[tuple[str, int], MessageType[Any]] = {}
    for registry in registries_of(apps):
        for each in registry.types():
            other = found.setdefault((each.name, each.version), each)
            if other is not each and other.fingerprint != each.fingerprint:
                raise BadApp(
                    f"{each.label} is one type at {other.defined_at} and another at"
                    f" {each.defined_at}; give one of them another name, or run a command for each"
                )
    return [found[key] for key in sorted(found)]


def registries_of(apps: Iterable[App]) -> list[Registry]:
    """The registries of all apps, each once."""
    return list({id(app.registry): app.registry for app in apps}.values())


def _load(spec: str) -> App:
    name, colon, path = spec.partition(":")
    is_name = all(part.isidentifier() for part in name.split(".")) and not name.endswith(".py")
    if not is_name or (colon and not path):
        raise BadApp(f"{spec!r} is no app: {_how_to_name(name)}")
    module = _import(name)
    if not colon:
        return App(spec, default_registry)
    found = _attribute(module, path)
    if callable(found) and not inspect.isclass(found):
        found = _made_by(found, spec)
    if isinstance(found, Registry):
        return App(spec, found)
    if isinstance(found, (Bus, AsyncBus)):
        return App(spec, found.registry, found)
    what = "a class" if inspect.isclass(found) else f"of the type {type(found).__name__}"
    raise BadApp(f"{spec} is {what}; name {_KINDS}")


def _how_to_name(name: str) -> str:
    stem = name.removesuffix(".py").strip("./").replace("/", ".")
    hint = f"; is it {stem}?" if stem != name and stem else ""
    return f"write module:attribute or module, as in an import{hint}"


def _import(name: str) -> ModuleType:
    with _running_user_code(f"importing {name}"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing = error.name or name
            if not f"{name}.".startswith(f"{missing}.") or _user_frames(error):
                raise  # the module is there, and one that it imports is not
    raise BadApp(_not_found(name, missing))


def _not_found(name: str, missing: str) -> str:
    parent, _, last = missing.rpartition(".")
    package = sys.modules.get(parent)
    if hasattr(package, last):
        return f"{name} is no module; did you mean {parent}:{last}?"
    folders = list(getattr(package, "__path__", [])) if parent else [os.getcwd()]
    hint = _near(last, [each.name for each in pkgutil.iter_modules(folders)])
    where = f"in {parent}" if parent else f"in {os.getcwd()} or on Python's path"
    tried = "" if missing == name else f" (tried to import {name})"
    return f"there is no module {last!r} {where}{tried}{hint}"


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _attribute(module: ModuleType, path: str) -> Any:
    found: Any = module
    for part in path.split("."):
        if not hasattr(found, part):
            owner = module.__name__ if found is module else type(found).__name__
            public = [name for name, _ in inspect.getmembers_static(found, _may_be_meant)]
            hint = _near(part, public)
            usable = "" if hint or found is not module else _usable(module)
            raise BadApp(f"{owner} has no attribute {part!r}{hint}{usable}")
        found = getattr(found, part)
    return found


def _may_be_meant(it: object) -> bool:
    return not inspect.ismodule(it) and not inspect.isclass(it)


def _usable(module: ModuleType, kinds: tuple[type, ...] = (Bus, AsyncBus, Registry)) -> str:
    names = [name for name, it in vars(module).items() if isinstance(it, kinds)]
    return f"; it has {', '.join(names)}" if names else ""


def _made_by(factory: Callable[..., Any], spec: str) -> Any:
    if inspect.iscoroutinefunction(factory):
        raise BadApp(f"{spec} is an async function; name {_KINDS}")
    if _parameters_without_default(factory):
        raise BadApp(f"{spec} cannot be called without arguments; name {_KINDS}")
    with _running_user_code(f"calling {spec}"):
        return factory()


def _parameters_without_default(function: Callable[..., Any]) -> bool:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # a built-in that does not tell
        return False
    return any(it.default is it.empty and it.kind not in kinds for it in parameters)


def _no_types(apps: Sequence[App]) -> str:
    names = ", ".join(app.spec for app in apps)
    modules = [sys.modules[app.spec] for app in apps if app.spec in sys.modules]
    hints = [f"{each.__name__}{_usable(each)}" for each in modules if _usable(each)]
    return f"{names}: no message type is registered there; import the modules that have them" + (
        f", or name their registry ({'; '.join(hints)})" if hints else ""
    )


@contextmanager
def _running_user_code(doing: str) -> Iterator[None]:
    """Turns what the user's code raises into a BadApp that shows his own frames."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except SystemExit as error:
        raise BadApp(
            f"{doing} ended the program (SystemExit: {error.code}); put what a program does below"
            " `if __name__ == '__main__':`"
        ) from None
    except Exception as error:
        raise BadApp(_told(doing, error)) from error


def _told(doing: str, error: Exception) -> str:
    said = "".join(traceback.format_exception_only(error)).strip()
    return f"{doing} failed: {said}" + "".join(_user_frames(error))


def _user_frames(error: BaseException) -> list[str]:
    """Frames of the user's files: neither Python's, nor ours, nor those of installed packages."""
    found = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        foreign = frame.filename.startswith("<") or path.is_relative_to(_PACKAGE)
        if not foreign and not path.is_relative_to(_STDLIB) and "site-packages" not in path.parts:
            shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            found.append(f"\n  {shown}:{frame.lineno}, in {frame.name}\n    {frame.line}")
    return found


_STDLIB = Path(os.__file__).parent
