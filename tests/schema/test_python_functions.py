"""What schemas say of the user's functions: the same text for the same function, in both views."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    WithJsonSchema,
    WrapValidator,
    create_model,
    field_validator,
    model_validator,
)

from omniq_typed import MessageType
from omniq_typed.schema.export import fingerprint, reader_schema, writer_schema
from omniq_typed.schema.wire.function_digest import UNKNOWN, digest
from omniq_typed.schema.wire.python_functions import split_comment

_numbers = itertools.count()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """`check` of a module of its own with this source."""

    def load(source: str) -> Any:
        name = f"checks_{next(_numbers)}"
        path = tmp_path / f"{name}.py"
        path.write_text(textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module.check

    return load


PLAIN = """
LIMIT = 5
NAMES = {"b", "a"}
def smaller(value):
    return value < LIMIT
def check(value, low=1):
    assert low < value and smaller(value) and value not in NAMES
    return value
"""


@pytest.mark.parametrize(
    "same",
    [
        PLAIN.replace("return value\n", "return (\n        value)  # as it is\n"),
        PLAIN.replace("low=1):", 'low=1):\n    """Checks."""'),
        PLAIN.replace('{"b", "a"}', "{'a', 'b'}"),
        "import re\n\n" + PLAIN + "\nOTHER = 3\n",
    ],
)
def test_layout_comments_and_place_do_not_count(load: Any, same: str) -> None:
    assert digest(load(PLAIN)) == digest(load(same)) != UNKNOWN


@pytest.mark.parametrize(
    "other",
    [
        PLAIN.replace("low < value", "low <= value"),
        PLAIN.replace("low=1", "low=2"),
        PLAIN.replace("LIMIT = 5", "LIMIT = 6"),
        PLAIN.replace('"b", ', '"c", '),
        PLAIN.replace("value < LIMIT", "value <= LIMIT"),
    ],
)
def test_what_a_function_does_counts(load: Any, other: str) -> None:
    assert digest(load(PLAIN)) != digest(load(other)) != UNKNOWN


CLOSING = """
def at_least(low):
    def check(value):
        assert value >= low
        return value
    return check
check = at_least({})
"""


def test_what_a_function_closes_over_counts(load: Any) -> None:
    of = {text: digest(load(CLOSING.format(text))) for text in ("1", "2", "[1]", "'1'", "None")}
    assert len(set(of.values())) == 5
    assert of["1"] == digest(load(CLOSING.format(" 1")))
    assert digest(load(CLOSING.format("object()"))) == UNKNOWN


def test_lambdas_partials_methods_and_objects_have_a_digest(load: Any) -> None:
    assert digest(load("check = lambda it: it")) != digest(load("check = lambda it: -it"))
    partial = "import functools\ndef f(a, b): return a\ncheck = functools.partial(f, {})"
    assert digest(load(partial.format(1))) != digest(load(partial.format(2))) != UNKNOWN
    cached = "import functools\n@functools.lru_cache\ndef check(a): return {}"
    assert digest(load(cached.format(1))) != digest(load(cached.format(2))) != UNKNOWN
    calling = """
    class Check:
        def __init__(self, low): self.low = low
        def __call__(self, value): return max(value, self.low)
        def method(self, value): return value
        @classmethod
        def of_class(cls, value): return value
    check = Check({})
    """
    one, two = load(calling.format(1)), load(calling.format(2))
    assert digest(one) != digest(two) and digest(one.method) != digest(two.method)
    assert digest(one.of_class) == digest(two.of_class) != UNKNOWN
    assert digest(type(one)) == digest(type(two)) != digest(load("class check: pass")) != UNKNOWN


def test_functions_of_python_itself_go_by_name() -> None:
    found = {digest(each) for each in (str.lower, str.upper, textwrap.dedent, len, "x".join)}
    assert len(found) == 5 and UNKNOWN not in found


def test_a_function_without_source_is_unknown() -> None:
    names: dict[str, Any] = {}
    exec("def check(value): return value", names)
    assert digest(names["check"]) == UNKNOWN


def test_functions_that_call_one_another_have_a_digest(load: Any) -> None:
    ring = "def check(n): return n and other(n - {})\ndef other(n): return check(n)"
    assert digest(load(ring.format(1))) != digest(load(ring.format(2))) != UNKNOWN


# What types say


def no_edges(value: str) -> str:
    return value.strip()


def keep(value: Any, handler: Any) -> Any:
    return handler(value)


class Checked(BaseModel):
    plain: Annotated[str, AfterValidator(no_edges)]
    hidden: Annotated[int, BeforeValidator(int), PlainSerializer(str, return_type=str)]
    in_own_words: Annotated[str, WrapValidator(keep), WithJsonSchema({"type": "string"})]

    @field_validator("plain")
    @classmethod
    def by_method(cls, value: str) -> str:
        return value

    @model_validator(mode="after")
    def as_a_whole(self) -> Checked:
        return self


@dataclass
class Later:
    number: int

    def __post_init__(self) -> None:
        assert self.number


class Initialised(BaseModel):
    number: int
    later: Later

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)

    def model_post_init(self, context: Any) -> None:
        assert self.number


class WithPrivate(BaseModel):
    number: int
    _more: int = 0


def comments(schema: Any) -> list[str]:
    found = re.findall(r"'\$comment': '([^']*)'", repr(schema))
    return [re.sub(r"[0-9a-f]{8}", "HASH", each.removeprefix("and besides: ")) for each in found]


def views(declared: Any) -> tuple[list[str], list[str]]:
    made: MessageType[Any] = MessageType("checked", 1, declared)
    return comments(writer_schema(made)), comments(reader_schema(made))


def test_both_views_name_the_functions_from_the_inside_out() -> None:
    writer, reader = views(Checked)
    assert (
        writer
        == reader
        == [
            "a Python function as_a_whole HASH (after)",
            "a Python function no_edges HASH (after), a Python function by_method HASH (after)",
            "a Python function int HASH (before)",
            "a Python function keep HASH (wrap)",
        ]
    )


def test_what_runs_when_an_instance_is_made_is_named() -> None:
    writer, reader = views(Initialised)
    assert (
        writer
        == reader
        == [
            "a Python function __init__ HASH (init),"
            " a Python function model_post_init HASH (post_init)",
            "a Python function __post_init__ HASH (post_init)",
        ]
    )
    assert views(WithPrivate) == ([], []), "that one is Pydantic's"


def test_a_function_that_tells_choices_apart_is_named() -> None:
    class One(BaseModel):
        number: int

    class Two(BaseModel):
        text: str

    def which(value: Any) -> str:
        return "one"

    Choice = Annotated[
        Annotated[One, Tag("one")] | Annotated[Two, Tag("two")], Discriminator(which)
    ]
    writer, reader = views(create_model("Holder", choice=(Choice, ...)))
    assert writer == reader == ["a Python function which HASH (discriminator)"]


def test_the_same_method_of_the_next_versions_class_is_the_same() -> None:
    def version(number: int) -> type[BaseModel]:
        class Version(BaseModel):
            number: int

            @field_validator("number")
            @classmethod
            def positive(cls, value: int) -> int:
                assert value > 0
                return value

        Version.__name__ = Version.__qualname__ = f"OrderV{number}"
        return Version

    assert views(version(1)) == views(version(2))


def test_functions_are_no_part_of_the_fingerprint() -> None:
    def of(*checks: Any) -> set[str]:
        model = create_model("Holder", text=(Annotated[str, Field(min_length=1), *checks], ...))
        made: MessageType[Any] = MessageType("checked", 1, model)
        return {fingerprint(writer_schema(made)), fingerprint(reader_schema(made))}

    assert of() == of(AfterValidator(no_edges)) == of(AfterValidator(functools.partial(no_edges)))


def test_a_comment_is_taken_apart() -> None:
    writer = repr(writer_schema(MessageType("checked", 1, Checked)))
    functions, rest = split_comment(
        re.findall(r"besides: (a Python function no_edges[^']*)'", writer)[0]
    )
    assert [each.split()[3] for each in functions] == ["no_edges", "by_method"] and rest == ""
    assert split_comment("pattern a, b") == ((), "pattern a, b")
    assert split_comment(f"ge 5, {functions[0]}") == ((functions[0],), "ge 5")


def test_keys_keep_what_a_pattern_does_not_say() -> None:
    def of(key: Any) -> tuple[list[str], list[str]]:
        counted: Any = dict.__class_getitem__((key, int))
        return views(create_model("Holder", counts=(counted, ...)))

    checked = ["a Python function no_edges HASH (after)"]
    assert of(Annotated[str, AfterValidator(no_edges)]) == (checked, checked)
    positive = ["exclusiveMinimum 0, a Python function abs HASH (after)"]
    assert of(Annotated[float, Field(gt=0), AfterValidator(abs)]) == (positive, positive)
    even = ["multipleOf 2"]
    assert of(Annotated[int, Field(multiple_of=2)]) == (even, even)
    assert of(Literal["a", "b"]) == ([], [])
