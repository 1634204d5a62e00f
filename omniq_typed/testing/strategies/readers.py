"""One place of a type by itself: what its reader takes there, and how its writer writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from pydantic import ValidationError
from pydantic_core import SchemaSerializer, SchemaValidator, to_json

from omniq_typed.errors import NoStrategy
from omniq_typed.messages.schema_walk import Place
from omniq_typed.testing.strategies.spots import Spot

_TRIES = 20
"""How many values are drawn for one that passes."""
_ENOUGH = 150
"""After so many different values that were refused, few that passed mean that none is hit upon."""
_FEW = 1 / 40
_MOST = 900
"""After so many, different or not, with none that passed: before Hypothesis gives up in its way."""


def accepts(place: Place) -> Callable[[Any], str]:
    """A function of JSON that gives the reader's objection, '' where there is none."""
    validator = _whole(place, SchemaValidator)

    def objection(tree: Any) -> str:
        if validator is None:
            return ""
        try:
            validator.validate_json(to_json(tree), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            return f"{first['msg']} ({first['type']})"
        except Exception as error:  # a user's validator may raise anything
            return f"{type(error).__name__}: {error}"
        return ""

    return objection


def written(place: Place) -> Callable[[Any], Any]:
    """A function from a Python value to its JSON, as the type writes it at the place. The function
    raises ValueError for a value that has no place there."""
    serializer = _whole(place, SchemaSerializer)

    def write(value: Any) -> Any:
        if serializer is None:
            raise ValueError("it cannot be written by itself")
        try:
            return serializer.to_python(value, mode="json", by_alias=True, warnings="error")
        except Exception as error:
            raise ValueError(str(error)) from error

    return write


def _whole(place: Place, kind: Any) -> Any:
    """None for a schema that does not stand by itself."""
    schema: Any = {
        "type": "definitions",
        "schema": place.schema,
        "definitions": list(place.definitions.values()),
    }
    try:
        return kind(schema, cast(Any, dict(place.config)))
    except Exception:
        return None


_ADVICE = "Give a strategy for its field, or one for its type with register_strategy"


class Sieve:
    """Lets pass what nobody objects to. Where that is next to nothing, NoStrategy says why."""

    def __init__(
        self, subject: str, path: str, objection: Callable[[Any], str], advice: str = _ADVICE
    ) -> None:
        self._advice = advice
        self._objection = objection
        self._place = subject, path
        self._seen = self._passed = 0
        self._refused: set[int] = set()

    def of(self, strategy: SearchStrategy[Any]) -> SearchStrategy[Any]:
        """What passes."""
        return _sifted(strategy, self)

    def first(self, draw: Callable[[], Any]) -> Any:
        """The first value that passes; else the example is given up."""
        why, value = "", None
        for _ in range(_TRIES):
            value = draw()
            why = self._objection(value)
            self._seen += 1
            if not why:
                self._passed += 1
                return value
            # Hypothesis tries its simplest value again and again, which says nothing of the others.
            self._refused.add(hash(repr(value)))
        # Here and nowhere else: the same draws have to end the same when they are repeated.
        if self._is_hopeless():
            raise NoStrategy(
                *self._place,
                f"{self._seen - self._passed} of {self._seen} values that were made up do not pass,"
                f" the last one ({value!r:.200}) because: {why}. {self._advice}",
            )
        return reject()

    def _is_hopeless(self) -> bool:
        if self._passed == 0 and self._seen >= _MOST:
            return True
        refused = len(self._refused)
        return refused >= _ENOUGH and self._passed < refused * _FEW


@st.composite
def _sifted(draw: DrawFn, strategy: SearchStrategy[Any], sieve: Sieve) -> Any:
    return sieve.first(lambda: draw(strategy))


def converted(subject: str, spot: Spot, values: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """JSON of the Python values that somebody gives for a place, as far as its reader takes it."""
    write, objection = written(spot.place), accepts(spot.place)

    def as_json(value: Any) -> Any:
        try:
            return write(value)
        except ValueError as error:
            problem = f"the strategy for it gave {value!r:.200}, which is no such value: {error}"
            raise NoStrategy(subject, spot.pointer, problem) from error

    return Sieve(subject, spot.pointer, objection).of(values.map(as_json))
