"""The sync and the async half promise the same, and all that is public is documented."""

from __future__ import annotations

import importlib
import inspect
import re
from types import FunctionType
from typing import Any

import pytest

import omniq_typed
from omniq_typed import (
    AsyncBus,
    AsyncOmniqClient,
    AsyncQueueMonitor,
    Bus,
    OmniqClient,
    QueueMonitor,
    errors,
)
from omniq_typed.context import AsyncCtx, AsyncExec, Ctx, Exec
from omniq_typed.core.scripts import script_names
from omniq_typed.errors import OmniqError
from omniq_typed.schema_registry import AsyncSchemaStore, SchemaStore

TWINS: list[tuple[type, type]] = [
    (OmniqClient, AsyncOmniqClient),
    (Bus, AsyncBus),
    (Exec, AsyncExec),
    (QueueMonitor, AsyncQueueMonitor),
    (Ctx, AsyncCtx),
    (SchemaStore, AsyncSchemaStore),
]
SPECIAL = {"__init__": "__init__", "__enter__": "__aenter__", "__exit__": "__aexit__"}
# Parameters that make sense for one of the two only.
ONLY_SYNC: dict[tuple[str, str], set[str]] = {}
# Calls that wait for nothing.
PLAIN_IN_BOTH = {
    "consumer",
    "raw_consumer",
    "consumed",
    "handlers",
    "on_invalid",
    "embedded",
    "from_env",
}
PLAIN_IN_BOTH |= {"__init__", "health"}
# The async one answers an async iterator.
PLAIN_IN_BOTH |= {"publish_each"}

twins = pytest.mark.parametrize(("sync", "aio"), TWINS, ids=lambda cls: cls.__name__)
every_class = pytest.mark.parametrize("cls", [cls for pair in TWINS for cls in pair])


def methods(cls: type) -> dict[str, Any]:
    """Public methods and the special ones that a class itself defines, unbound."""
    found = {}
    for name, it in vars(cls).items():
        function = it.__func__ if isinstance(it, classmethod) else it
        public = not name.startswith("_") or name in {*SPECIAL, *SPECIAL.values()}
        if public and isinstance(function, FunctionType):
            found[name] = it
    return found


def plain(annotation: object) -> str:
    """An annotation without what tells a sync one from its async twin."""
    text = annotation if isinstance(annotation, str) else repr(annotation)
    text = text.replace("Iterable[object] | AsyncIterable[object]", "Iterable[object]")
    text = re.sub(r"\bAwaitable\[([^\[\]]*)\]", r"\1", text)
    return re.sub(r"\b(Any|Has)?(?:Async|Sync)(?=[A-Z])", r"\1", text)


def parameters(function: Any) -> dict[str, tuple[Any, object, str]]:
    """Name → kind, default and annotation, in order."""
    plain_function = getattr(function, "__func__", function)
    return {
        name: (parameter.kind, parameter.default, plain(parameter.annotation))
        for name, parameter in inspect.signature(plain_function).parameters.items()
    }


def result(function: Any) -> str:
    plain_function = getattr(function, "__func__", function)
    return plain(inspect.signature(plain_function).return_annotation)


def test_annotations_are_compared_without_their_async_names() -> None:
    assert plain("Callable[[AsyncJobCtx], Awaitable[Any]]") == "Callable[[JobCtx], Any]"
    assert plain("AnyAsyncClient | None") == "AnyClient | None"
    assert plain("Iterable[object] | AsyncIterable[object]") == "Iterable[object]"
    assert plain("list[str]") != plain("Sequence[str]")


@twins
def test_twins_have_the_same_methods(sync: type, aio: type) -> None:
    assert sorted(SPECIAL.get(name, name) for name in methods(sync)) == sorted(methods(aio))
    assert len(methods(sync)) > 0


@twins
def test_twins_take_the_same_arguments_and_answer_the_same(sync: type, aio: type) -> None:
    for name, function in methods(sync).items():
        twin = methods(aio)[SPECIAL.get(name, name)]
        missing = ONLY_SYNC.get((sync.__name__, name), set())
        here, there = parameters(function), parameters(twin)
        assert missing <= set(here) and not missing & set(there), name
        expected = [(n, facts) for n, facts in here.items() if n not in missing]
        assert list(there.items()) == expected, name
        assert result(twin) == result(function), name
        assert isinstance(twin, classmethod) == isinstance(function, classmethod), name


@twins
def test_what_waits_is_awaited(sync: type, aio: type) -> None:
    for name, function in methods(sync).items():
        twin = methods(aio)[SPECIAL.get(name, name)]
        assert not inspect.iscoroutinefunction(getattr(function, "__func__", function)), name
        awaited = inspect.iscoroutinefunction(getattr(twin, "__func__", twin))
        assert awaited == (name not in PLAIN_IN_BOTH), name


@every_class
def test_every_public_method_says_what_it_does(cls: type) -> None:
    assert (cls.__doc__ or "").strip()
    silent = [
        name
        for name, function in methods(cls).items()
        if not name.startswith("__") and not (function.__doc__ or "").strip()
    ]
    assert silent == []


@every_class
def test_every_property_says_what_it_is(cls: type) -> None:
    found = inspect.getmembers_static(cls, lambda it: isinstance(it, property))
    assert [name for name, it in found if not (it.__doc__ or "").strip()] == []


@every_class
def test_docstrings_name_scripts_that_exist(cls: type) -> None:
    texts = [str(cls.__doc__), *(str(function.__doc__) for function in methods(cls).values())]
    named = set(re.findall(r"lua/commands/(\w+)\.lua", "\n".join(texts)))
    assert named <= set(script_names())


@twins
def test_twins_name_the_same_scripts(sync: type, aio: type) -> None:
    for name, function in methods(sync).items():
        twin = methods(aio)[SPECIAL.get(name, name)]
        pattern = re.compile(r"lua/commands/(\w+)\.lua")
        assert pattern.findall(str(twin.__doc__)) == pattern.findall(str(function.__doc__)), name


def test_every_script_is_named_by_the_method_that_runs_it() -> None:
    classes = (OmniqClient, QueueMonitor, Bus, SchemaStore)
    texts = [str(function.__doc__) for cls in classes for function in methods(cls).values()]
    named = set(re.findall(r"lua/commands/(\w+)\.lua", "\n".join(texts)))
    assert named == set(script_names())


def test_all_is_sorted_and_importable() -> None:
    names = omniq_typed.__all__
    assert list(names) == sorted(names)
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(omniq_typed, name) is not None


def test_all_leaves_out_nothing_that_the_package_imports_by_name() -> None:
    """What stands in `omniq_typed` beside its modules is public."""
    there = {
        name
        for name, it in vars(omniq_typed).items()
        if not inspect.ismodule(it) and (not name.startswith("_") or name == "__version__")
    }
    assert there == set(omniq_typed.__all__)


# The tree of exceptions.


def drawn_tree() -> list[tuple[int, str, set[str]]]:
    """(depth, name, further bases) per line of the drawing in the docstring of errors.py."""
    rows = []
    for line in str(errors.__doc__).splitlines():
        found = re.match(r" {4}((?:│   |    )*(?:[├└]── )?)([A-Z]\w+)(?: \((\w+)\))?(?: |$)", line)
        if found:
            bases = {found[3]} if found[3] else set()
            rows.append((len(found[1]) // 4, found[2], bases))
    return rows


def real_classes() -> list[type[OmniqError]]:
    return [
        it
        for it in vars(errors).values()
        if isinstance(it, type) and issubclass(it, OmniqError) and it.__module__ == errors.__name__
    ]


def real_tree(
    cls: type[OmniqError] = OmniqError, depth: int = 0
) -> list[tuple[int, str, set[str]]]:
    """As `drawn_tree`, in the order of the classes' definition."""
    foreign = {base.__name__ for base in cls.__bases__ if not issubclass(base, OmniqError)}
    rows = [(depth, cls.__name__, foreign - {"Exception"})]
    for child in real_classes():
        if cls in child.__bases__:
            rows += real_tree(child, depth + 1)
    return rows


def test_the_drawn_tree_of_exceptions_is_the_real_one() -> None:
    assert drawn_tree() == real_tree()
    assert len(drawn_tree()) == len(real_classes()) > 20


def test_each_exception_has_one_parent_in_the_tree() -> None:
    for cls in real_classes():
        parents = [base for base in cls.__bases__ if issubclass(base, OmniqError)]
        assert len(parents) == (cls is not OmniqError), cls


@pytest.mark.parametrize("cls", real_classes())
def test_every_exception_says_what_it_means(cls: type[OmniqError]) -> None:
    assert "__doc__" in vars(cls) and (cls.__doc__ or "").strip()


def test_no_module_adds_exceptions_of_its_own() -> None:
    for module in (
        "bus",
        "client",
        "async_bus",
        "async_client",
        "monitor",
        "middleware",
        "transport.embedded",
    ):
        importlib.import_module(f"omniq_typed.{module}")
    left, found = [OmniqError], set()
    while left:
        cls = left.pop()
        found.add(cls)
        left += cls.__subclasses__()
    ours = {cls for cls in found if cls.__module__.startswith("omniq_typed.")}
    assert ours == set(real_classes())
