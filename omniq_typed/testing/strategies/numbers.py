"""Numbers within their bounds, as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from omniq_typed.messages.schema_walk import Place, Schema

# Without bounds: enough for money, and more digits than a double holds.
_MOST_DIGITS = 30
_PLACES = (0, 2, 1, 4, 9, 20, _MOST_DIGITS)
_MOST_OF_A_DOUBLE = 10**17
"""Beyond it, there are more digits than a double holds."""
# Most numbers without bounds are small; some are what programs stumble over.
_EDGES = (2**31, 2**53 - 1, 2**53, 2**63, 2**64)


def integers(place: Place) -> SearchStrategy[Any]:
    """Within `ge`, `gt`, `le`, `lt`, and multiples of `multiple_of`."""
    schema = place.schema
    step = int(schema.get("multiple_of") or 1)
    least, most = _whole_bounds(schema, Fraction(step))
    if least is None and most is None:
        edges = st.sampled_from([sign * edge for edge in _EDGES for sign in (1, -1)])
        return st.one_of(st.integers(), edges.map(lambda edge: edge // step)).map(step.__mul__)
    return st.integers(least, most).map(step.__mul__) if step != 1 else st.integers(least, most)


def floats(place: Place) -> SearchStrategy[Any]:
    """JSON has no NaN and no infinities."""
    schema = place.schema
    multiple_of = schema.get("multiple_of")
    if multiple_of:
        least, most = _whole_bounds(schema, Fraction(multiple_of))
        limit = 2**40
        counts = st.integers(-limit if least is None else least, limit if most is None else most)
        return counts.map(lambda count: count * float(multiple_of))
    least_float = _next(schema, "ge", "gt", math.inf)
    most_float = _next(schema, "le", "lt", -math.inf)
    return st.floats(least_float, most_float, allow_nan=False, allow_infinity=False)


def _next(schema: Schema, closed: str, open_: str, towards: float) -> float | None:
    """The bound as a float, an open one moved inside."""
    bounds = [float(schema[closed])] if schema.get(closed) is not None else []
    if schema.get(open_) is not None:
        bounds.append(math.nextafter(float(schema[open_]), towards))
    finite = [each for each in bounds if math.isfinite(each)]
    return (max if towards > 0 else min)(finite, default=None)


def decimals(place: Place) -> SearchStrategy[Any]:
    """As text, with few decimal places and with many."""
    schema = place.schema
    multiple_of = schema.get("multiple_of")
    if multiple_of:
        step = Decimal(multiple_of)
        least, most = _whole_bounds(schema, Fraction(step))
        limit = 10**9
        counts = st.integers(-limit if least is None else least, limit if most is None else most)
        return counts.map(lambda count: str(count * step))
    total, places = schema.get("max_digits"), schema.get("decimal_places")
    allowed = [each for each in _PLACES if each <= _most_places(total, places)]
    if places is not None and places not in allowed:
        allowed.append(places)
    made = [_with_places(schema, each, total, places) for each in allowed]
    found = [each for each in made if each is not None]
    return st.one_of(found) if found else st.nothing()


def _most_places(total: int | None, places: int | None) -> int:
    return min(each for each in (total, places, _MOST_DIGITS) if each is not None)


def _with_places(
    schema: Schema, places: int, total: int | None, most_places: int | None
) -> SearchStrategy[Any] | None:
    """Numbers with so many decimal places; None where none lies within the bounds."""
    least, most = _whole_bounds(schema, Fraction(1, 10**places))
    digits = _MOST_DIGITS if total is None else total - (most_places or 0) + places
    limit = 10 ** min(digits, total or digits) - 1
    least = -limit if least is None else max(least, -limit)
    most = limit if most is None else min(most, limit)
    if least > most:
        return None
    numbers = st.integers(least, most)
    if most > _MOST_OF_A_DOUBLE:
        # Hypothesis prefers few digits, with which a float does no harm.
        numbers |= st.integers(max(least, most // 10), most)
    return numbers.map(lambda number: str(Decimal(number).scaleb(-places)))


def fractions(place: Place) -> SearchStrategy[Any]:
    """As text."""
    schema = place.schema
    least = max(_given(schema, "ge", "gt"), default=None)
    most = min(_given(schema, "le", "lt"), default=None)
    return st.fractions(least, most).map(str)


def complexes(place: Place) -> SearchStrategy[Any]:
    """As text."""
    return st.complex_numbers(allow_nan=False, allow_infinity=False).map(
        lambda number: str(number).strip("()")
    )


def booleans(place: Place) -> SearchStrategy[Any]:
    """True and false."""
    return st.booleans()


def _given(schema: Schema, *names: str) -> list[Fraction]:
    return [Fraction(schema[name]) for name in names if schema.get(name) is not None]


def _whole_bounds(schema: Schema, step: Fraction) -> tuple[int | None, int | None]:
    """Between which whole numbers n the product n × step is within the bounds."""
    least = [math.ceil(each / step) for each in _given(schema, "ge")]
    least += [math.floor(each / step) + 1 for each in _given(schema, "gt")]
    most = [math.floor(each / step) for each in _given(schema, "le")]
    most += [math.ceil(each / step) - 1 for each in _given(schema, "lt")]
    return max(least, default=None), min(most, default=None)


NUMBERS: dict[str, Callable[[Place], SearchStrategy[Any]]] = {
    "int": integers,
    "float": floats,
    "decimal": decimals,
    "fraction": fractions,
    "complex": complexes,
    "bool": booleans,
}
