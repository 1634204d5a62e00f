"""Registration: what can be a message type, what is warned of, and how a value finds its type."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NewType, TypeVar

import pytest
from pydantic import AwareDatetime, BaseModel, Field, RootModel
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from omniq_typed import MessageType, PortabilityWarning, Registry, SafeInt, message, message_type
from omniq_typed.core.backoff import Fixed
from omniq_typed.errors import InvalidArgument, InvalidMessageType, InvalidPayload, UndecodableJob
from omniq_typed.messages.codec import decode, encode
from omniq_typed.models import Compatibility

T = TypeVar("T")
HERE = Path(__file__).name


@dataclass
class Circle:
    kind: Literal["circle"]
    radius: SafeInt


class Square(BaseModel):
    kind: Literal["square"] = "square"
    side: SafeInt


class Place(TypedDict):
    city: str


Somewhere = NewType("Somewhere", Circle)


class Page(BaseModel, Generic[T]):
    items: list[T]


@dataclass
class Box(Generic[T]):
    content: T


Shape = Annotated[Circle | Square, Field(discriminator="kind")]


def test_every_kind_of_type_is_written_and_read_back() -> None:
    own = Registry(strict_types=True)

    @message("model", registry=own)
    class Model(BaseModel):
        a: str

    @message("dataclass", registry=own)
    @dataclass(frozen=True, slots=True)
    class Data:
        a: str

    @message("pydantic-dataclass", registry=own)
    @pydantic_dataclass
    class Checked:
        a: str

    @message("typed-dict", registry=own)
    class Fields(TypedDict):
        a: str

    shape = message_type(Shape, name="shape", registry=own)
    page = message_type(Page[SafeInt], name="page", registry=own)
    box = message_type(Box[SafeInt], name="box", registry=own)
    names = message_type(list[str], name="names", registry=own)
    place: MessageType[Any] = message_type(Somewhere, name="place", registry=own)

    declared: list[tuple[MessageType[Any], Any]] = [
        (own.of_type(Model), Model(a="x")),
        (own.of_type(Data), Data("x")),
        (own.of_type(Checked), Checked("x")),
        (own.of_type(Fields), Fields(a="x")),
        (shape, Circle("circle", 1)),
        (shape, Square(side=2)),
        (page, Page[SafeInt](items=[1])),
        (box, Box(1)),
        (names, ["a", "b"]),
        (place, Circle("circle", 1)),
    ]
    for its_type, value in declared:
        back = decode(its_type, encode(its_type, value))
        assert back == value and type(back) is type(value), its_type.label
    assert [it.name for it in own.types()] == sorted({its_type.name for its_type, _ in declared}), (
        "each is registered under its name"
    )


def test_a_value_finds_its_type_by_its_class() -> None:
    own = Registry()
    shape = message_type(Shape, name="shape", registry=own)
    page = message_type(Page[int], name="page", registry=own)
    box = message_type(Box[int], name="box", registry=own)
    assert own.of_value(Circle("circle", 1)) is shape
    assert own.of_value(Square(side=1)) is shape
    assert own.of_value(Page[int](items=[])) is page
    assert own.of_value(Box(1)) is box
    assert own.of_value({"kind": "circle"}, shape) is shape

    circle = message_type(Circle, name="circle", registry=own)
    assert own.of_value(Circle("circle", 1)) is circle, "its own name comes before a union's"


def test_a_member_of_two_unions_has_to_say_which() -> None:
    own = Registry()
    one = message_type(Shape, name="one", registry=own)
    message_type(Annotated[Circle | Place, Field()], name="two", registry=own, strict_types=False)
    with pytest.raises(
        InvalidMessageType, match=r"may be one of one v1, two v1; pass message_type"
    ):
        own.of_value(Circle("circle", 1))
    assert own.of_value(Circle("circle", 1), one) is one


def test_a_dict_has_to_say_which() -> None:
    own = Registry()
    message("place", registry=own)(Place)
    with pytest.raises(InvalidMessageType, match="pass message_type="):
        own.of_value({"city": "Rome"})
    assert own.of_value({"city": "Rome"}, Place).name == "place"


def test_a_value_of_another_class_is_refused() -> None:
    shape: MessageType[Any] = message_type(Shape, name="shape", registry=Registry())
    for wrong in ({"kind": "circle", "radius": 1}, Box(1), None):
        with pytest.raises(InvalidPayload) as caught:
            encode(shape, wrong)
        assert [fault.code for fault in caught.value.faults] == ["wrong_class"]
        assert "not a Circle or Square" in str(caught.value)


def test_a_message_type_of_another_registry_is_refused() -> None:
    shape = message_type(Shape, name="shape", registry=Registry())
    with pytest.raises(InvalidMessageType, match="another registry"):
        Registry().of_type(shape)


def test_two_unions_of_one_name_are_refused_with_both_places() -> None:
    own = Registry()
    message_type(Shape, name="shape", registry=own)
    with pytest.raises(InvalidMessageType) as caught:
        message_type(Page[int], name="shape", registry=own)
    places = re.findall(rf"{re.escape(HERE)}:(\d+)", str(caught.value))
    assert len(set(places)) == 2
    with pytest.raises(InvalidMessageType, match="collides"):
        message_type(Shape, name="other", registry=own)


@pytest.mark.parametrize("scalar", [int, str | None, RootModel[int], SafeInt, Literal["a"]])
def test_what_is_no_object_and_no_array_is_refused(scalar: Any) -> None:
    own = Registry(strict_types=False)
    with pytest.raises(InvalidMessageType, match="object"):
        message_type(scalar, name="scalar", registry=own)
    assert own.types() == []


def test_what_pydantic_cannot_check_is_refused() -> None:
    class Odd:
        pass

    with pytest.raises(InvalidMessageType, match="cannot be checked"):
        message_type(list[Odd], name="odd", registry=Registry())


def test_names_that_come_later_are_found_at_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Registry(strict_types=True)

    @message("early", registry=own)
    @dataclass
    class Early:
        other: NotYet  # type: ignore[name-defined] # noqa: F821 # pyright: ignore

    found = own.of_type(Early)
    assert found.built is None
    monkeypatch.setitem(globals(), "NotYet", Later)
    assert decode(found, encode(found, Early(Later("x")))) == Early(Later("x"))


@dataclass
class Later:
    a: str


def test_local_names_are_found_at_the_registration() -> None:
    @dataclass
    class Inner:
        a: str

    @message("local", registry=Registry())
    @dataclass
    class Outer:
        inner: Inner

    own = Registry()
    message("again", registry=own)(Outer)
    assert own.of_type(Outer).built is not None
    shape = message_type(list[Inner], name="list", registry=own)
    assert decode(shape, encode(shape, [Inner("x")])) == [Inner("x")]


def test_names_that_never_come_are_named_at_first_use() -> None:
    own = Registry()

    @message("lost", registry=own)
    @dataclass
    class Lost:
        other: NoSuchName  # type: ignore[name-defined] # noqa: F821 # pyright: ignore

    with pytest.raises(InvalidMessageType, match=r"lost v1 at .* unknown name"):
        _ = own.of_type(Lost).adapter


# Options.


@pytest.mark.parametrize(
    ("options", "field_name"),
    [
        ({"gid": "customer"}, "gid"),
        ({"dedup_key": 3}, "dedup_key"),
        ({"retry": 5}, "retry"),
        ({"group_limit": -1}, "group_limit"),
        ({"version": 0}, "version"),
        ({"queue": "a b"}, "queue"),
    ],
)
def test_options_that_could_never_work_are_refused(
    options: dict[str, Any], field_name: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        message_type(Shape, name="a", registry=Registry(), **options)
    assert caught.value.field == field_name


def test_options_are_kept() -> None:
    retry = Fixed(5)
    own = Registry()
    message("a", registry=own, retry=retry, group_limit=3, version=2, gid=lambda it: it.a)(Later)
    kept = own.of_type(Later)
    assert (kept.retry, kept.group_limit, kept.version, kept.label) == (retry, 3, 2, "a v2")


# Portability.


class Meeting(BaseModel):
    at: datetime
    seats: int


def test_a_type_that_others_read_differently_is_warned_of_once_with_the_way_out() -> None:
    with pytest.warns(PortabilityWarning) as caught:
        message("meeting", registry=Registry())(Meeting)
    (warning,) = caught
    text = str(warning.message)
    assert "meeting v1" in text
    assert "/at" in text and "AwareDatetime" in text
    assert "/seats" in text and "SafeInt" in text
    assert warning.filename.endswith(HERE), "it points to the class"
    assert "class Meeting" in _line(warning.lineno)


def _line(number: int) -> str:
    return Path(__file__).read_text().splitlines()[number - 1]


def test_strict_types_makes_it_an_error() -> None:
    own = Registry()
    with pytest.raises(InvalidMessageType, match=r"/at.*AwareDatetime"):
        message("meeting", registry=own, strict_types=True)(Meeting)
    with pytest.raises(InvalidMessageType, match=r"/at.*AwareDatetime"):
        message("meeting", registry=Registry(strict_types=True))(Meeting)
    assert own.types() == []


def test_strict_types_false_is_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message("meeting", registry=Registry(), strict_types=False)(Meeting)
        message("meeting", registry=Registry(strict_types=False))(Meeting)


def test_what_versions_owe_to_one_another_is_said_outright_or_by_sharing() -> None:
    def declared(**options: Any) -> Compatibility | None:
        own = Registry(strict_types=False)
        message("page", registry=own, **options)(Page[int])
        by_function = message_type(Page[str], name="other", registry=own, **options)
        assert by_function.declared_compatibility == own.types()[1].declared_compatibility
        return own.types()[1].declared_compatibility

    assert declared() is None
    assert declared(shared=True) == Compatibility.FULL_TRANSITIVE
    assert declared(compatibility="FORWARD") == Compatibility.FORWARD
    assert declared(compatibility=Compatibility.NONE, shared=True) == Compatibility.NONE


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"compatibility": "full"}, r"compatibility: 'full' is none; use one of NONE, BACKWARD, "),
        ({"compatibility": True}, r"compatibility: True is none"),
        ({"compatibility": ["FULL"]}, r"compatibility: \['FULL'\] is none"),
        ({"shared": "yes"}, r"shared: 'yes' is neither True nor False"),
    ],
)
def test_what_is_no_compatibility_is_refused(options: dict[str, Any], said: str) -> None:
    own = Registry(strict_types=False)
    with pytest.raises(InvalidMessageType, match=said):
        message("page", registry=own, **options)(Page[int])
    with pytest.raises(InvalidMessageType, match=said):
        message_type(Page[int], name="page", registry=own, **options)
    assert own.types() == []


def test_a_portable_type_is_silent() -> None:
    class Portable(BaseModel):
        at: AwareDatetime
        seats: SafeInt

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message("portable", registry=Registry())(Portable)


def test_a_type_that_is_built_late_is_warned_of_at_first_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = Registry()

    @message("early", registry=own)
    @dataclass
    class Early:
        at: NotYet  # type: ignore[name-defined] # noqa: F821 # pyright: ignore

    monkeypatch.setitem(globals(), "NotYet", MuchLater)
    with pytest.warns(PortabilityWarning, match=r"early v1: /at/when"):
        _ = own.of_type(Early).adapter


@dataclass
class MuchLater:
    when: datetime


# What cannot be JSON for everybody.


def test_a_literal_nan_in_a_payload_is_no_json() -> None:
    @dataclass
    class Measured:
        value: float

    own = Registry()
    measured = message_type(Measured, name="measured", registry=own)
    assert decode(measured, b'{"value":1.5}') == Measured(1.5)
    for payload in (b'{"value":NaN}', b'{"value":Infinity}', b'{"value":-Infinity}'):
        with pytest.raises(UndecodableJob, match="not JSON") as caught:
            decode(measured, payload)
        assert caught.value.reason == "invalid_payload"
        assert caught.value.faults[0].code == "json_invalid"


def test_the_word_nan_in_a_text_is_no_fault() -> None:
    own = Registry()
    texts = message_type(list[str], name="texts", registry=own)
    assert decode(texts, encode(texts, ["NaN", "Infinity"])) == ["NaN", "Infinity"]


def test_lax_reading_is_by_choice() -> None:
    later = message_type(list[int], name="later", registry=Registry())
    with pytest.raises(UndecodableJob):
        decode(later, b'["1"]')
    assert decode(later, b'["1"]', strict=False) == [1]
