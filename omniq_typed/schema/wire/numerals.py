"""Regular expressions for numbers that are written as text: within bounds, in plain or scientific
notation. They use nothing that regex engines disagree on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

_DIGIT = "[0-9]"
_EXPONENT = "[eE]"
_MOST_EXPONENT_DIGITS = 17
"""Python's Decimal takes 18; one less leaves room for the digits before the exponent."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a number may be. `whole`, `places`, `total`: at most so many digits before the point,
    after it, and in all, zeros at the ends not counted."""

    least: Decimal | None = None
    least_open: bool = False
    most: Decimal | None = None
    most_open: bool = False
    whole: int | None = None
    places: int | None = None
    total: int | None = None


def decimal_patterns(bounds: Bounds, *, infinite: bool = False) -> list[str]:
    """Regexes that a text has to match, all of them, to be a Decimal within bounds. `infinite`:
    NaN and the infinities are numbers too."""
    patterns = [_form(bounds)]
    if bounds.least is not None:
        patterns.append(_signed(bounds.least, bounds.least_open, upwards=True))
    if bounds.most is not None:
        patterns.append(_signed(bounds.most, bounds.most_open, upwards=False))
    if infinite:
        patterns = [f"^-?(?:NaN|Infinity)$|{pattern}" for pattern in patterns]
    return patterns


def integer_pattern(least: int | None, most: int | None) -> str:
    """A regex of integers as they are written, from `least` to `most`."""
    positive = _naturals(max(least or 0, 0), most)
    negative = None
    if least is None or least < 0:
        top = None if least is None else -least
        negative = _naturals(1 if most is None or most >= 0 else -most, top)
    parts = [part for part in (positive, f"-{negative}" if negative else None) if part]
    return f"^{_either(parts)}$" if parts else "^(?!)$"


def natural_at_most(most: int) -> str:
    """A regex, without anchors, of 0 to `most`, without leading zeros."""
    found = _naturals(0, most)
    if found is None:
        raise ValueError(f"most: must be 0 or more, not {most}")
    return found


def _form(bounds: Bounds) -> str:
    if bounds.whole is None and bounds.places is None and bounds.total is None:
        if bounds.least is None and bounds.most is None:
            exponent = f"{_EXPONENT}[+-]?[0-9]{{1,{_MOST_EXPONENT_DIGITS}}}"
            return rf"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:{exponent})?$"
        plain = r"[0-9]+(?:\.[0-9]+)?"
        return rf"^[+-]?(?:{plain}|{_scientific(_any_exponent())}|{_zero()})$"
    return rf"^[+-]?(?:{_either(_digits(bounds))}|{_zero()})$"


def _digits(bounds: Bounds) -> list[str]:
    """Plain and scientific forms of numbers with few enough digits."""
    whole, places, total = bounds.whole, bounds.places, bounds.total
    if total is None:
        most = f"{{0,{places}}}"
        # Only whole numbers are written with a positive exponent.
        large = _scientific(r"\+?[1-9][0-9]{0,16}")
        return [rf"[0-9]+(?:\.[0-9]{most}0*)?", *_small(places), large]
    if places is not None:
        whole = total - places if whole is None else whole
    top = total if whole is None else whole
    limit = total if places is None else min(places, total)
    # Pydantic counts the 0 before the point only where nothing follows it.
    forms = [_fraction("0+", limit) if top else rf"0+\.[0-9]{{1,{limit}}}0*"]
    counts: dict[int, list[int]] = {}
    for count in range(1, top + 1):
        counts.setdefault(min(limit, total - count), []).append(count)
    for after, each in counts.items():
        more = _times(each[0] - 1, each[-1] - 1)
        forms.append(_fraction(f"0*[1-9]{more}", after))
    if top > 1:
        forms += [
            rf"[1-9](?:\.[0-9]{{1,{power}}})?{_EXPONENT}\+?{power}" for power in range(1, top)
        ]
    return [*forms, *_small(total if places is None else places)]


def _fraction(whole: str, places: int) -> str:
    return rf"{whole}(?:\.[0-9]{{0,{places}}}0*)?" if places else rf"{whole}(?:\.0*)?"


def _small(places: int | None) -> list[str]:
    """Numbers below 0.000001 in scientific form: 1.5E-7 has 8 places."""
    if places is None:
        return [_scientific("-[1-9][0-9]{0,16}")]
    return [
        rf"[1-9](?:\.[0-9]{{0,{places - power}}}0*)?{_EXPONENT}-{power}"
        for power in range(7, places + 1)
    ]


def _signed(bound: Decimal, is_open: bool, *, upwards: bool) -> str:
    """Numbers, known to be of a good form, on one side of a bound. `upwards`: at or above it."""
    near, far = ("-", r"\+?") if upwards else (r"\+?", "-")
    # Seen from the bound, `far` is the sign of the numbers that go on without end.
    size = abs(bound)
    beyond = bound > 0 if upwards else bound < 0
    if size == 0:
        some = r"[0.]*[1-9].*"
        return f"^{far}{some}$" if is_open else f"^(?:{far}[0-9].*|{near}{_nothing()})$"
    if beyond:
        return f"^{far}{_at_least(size, is_open)}$"
    return f"^(?:{far}[0-9].*|{near}{_at_most(size, is_open)})$"


def _nothing() -> str:
    return rf"0+(?:\.0*)?(?:{_EXPONENT}.*)?"


def _zero() -> str:
    return rf"0{_EXPONENT}[+-]?[0-9]{{1,{_MOST_EXPONENT_DIGITS}}}"


def _at_least(size: Decimal, is_open: bool) -> str:
    return _either([*_plain(size, is_open, bigger=True), *_powers(size, is_open, bigger=True)])


def _at_most(size: Decimal, is_open: bool) -> str:
    plain = _plain(size, is_open, bigger=False)
    return _either([*plain, *_powers(size, is_open, bigger=False), _nothing()])


def _plain(size: Decimal, is_open: bool, *, bigger: bool) -> list[str]:
    """Plain forms of at least (`bigger`) or at most a size > 0."""
    whole, _, fraction = format(size, "f").partition(".")
    whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
    rest = r"(?:\.[0-9]*)?"
    forms: list[str] = []
    if bigger:
        forms.append(rf"0*[1-9][0-9]{{{len(whole)},}}{rest}")
    elif whole:
        forms.append(rf"0*[0-9]{{0,{len(whole) - 1}}}{rest}" if len(whole) > 1 else rf"0+{rest}")
    for index, digit in enumerate(whole):
        other = _other_digits(digit, bigger, first=index == 0)
        if other:
            forms.append(f"0*{whole[:index]}{other}[0-9]{{{len(whole) - index - 1}}}{rest}")
    # Of the same whole part, the fraction decides.
    start = f"0*{whole}" if whole else "0+"
    for index, digit in enumerate(fraction):
        other = _other_digits(digit, bigger)
        if other:
            forms.append(rf"{start}\.{fraction[:index]}{other}[0-9]*")
        if not bigger:
            forms.append(rf"{start}{_point(fraction[:index])}")
    if bigger:
        more = "[0-9]*[1-9][0-9]*" if is_open else "[0-9]*"
        dot = rf"{start}\.{fraction}{more}"
        forms.append(dot)
        if not fraction and not is_open:
            forms.append(start)
    elif not is_open:
        forms.append(rf"{start}\.{fraction}0*" if fraction else rf"{start}(?:\.0*)?")
    return forms


def _point(digits: str) -> str:
    return rf"\.{digits}" if digits else r"(?:\.)?"


def _powers(size: Decimal, is_open: bool, *, bigger: bool) -> list[str]:
    """Scientific forms, with one digit from 1 to 9 before the point."""
    power = size.adjusted()
    digits = "".join(map(str, size.as_tuple().digits)).lstrip("0").rstrip("0")
    exponents = _exponents(power + 1, None) if bigger else _exponents(None, power - 1)
    same = rf"{_EXPONENT}{_one_exponent(power)}"
    forms = [_scientific(exponents)]
    head, tail = digits[0], digits[1:]
    other = _other_digits(head, bigger, first=True)
    if other:
        forms.append(rf"{other}(?:\.[0-9]+)?{same}")
    for index, digit in enumerate(tail):
        other = _other_digits(digit, bigger)
        if other:
            forms.append(rf"{head}\.{tail[:index]}{other}[0-9]*{same}")
        if not bigger:
            forms.append(rf"{head}{_point(tail[:index])}{same}")
    equal = rf"{head}\.{tail}" if tail else head
    if bigger and is_open:
        forms.append(rf"{head}\.{tail}[0-9]*[1-9][0-9]*{same}")
    elif bigger:
        forms.append(rf"{equal}[0-9]*{same}" if tail else rf"{head}(?:\.[0-9]+)?{same}")
    elif not is_open:
        forms.append(rf"{equal}0*{same}" if tail else rf"{head}(?:\.0+)?{same}")
    return forms


def _scientific(exponent: str) -> str:
    return rf"[1-9](?:\.[0-9]+)?{_EXPONENT}(?:{exponent})"


def _any_exponent() -> str:
    return "[+-]?(?:0|[1-9][0-9]{0,16})"


def _one_exponent(power: int) -> str:
    return rf"\+?{power}" if power > 0 else f"-{-power}" if power else "[+-]?0"


def _exponents(least: int | None, most: int | None) -> str:
    """Signed exponents from `least` or up to `most`."""
    limit = 10**_MOST_EXPONENT_DIGITS - 1
    parts = []
    positive = _naturals(max(least or 0, 0), limit if most is None else most)
    if positive:
        parts.append(rf"\+?{positive}")
    if least is None or least < 0:
        low = 1 if most is None or most >= 0 else -most
        negative = _naturals(low, limit if least is None else -least)
        parts += [f"-{negative}"] if negative else []
    return _either(parts)


def _naturals(least: int, most: int | None) -> str | None:
    """Natural numbers without leading zeros; None where there are none."""
    if most is not None and most < least:
        return None
    if most is None:
        forms = _from(str(least))
        return _either([*forms, f"[1-9][0-9]{{{len(str(least))},}}"])
    lengths = range(len(str(least)), len(str(most)) + 1)
    full = [n for n in lengths if n > 1 and least <= 10 ** (n - 1) and most >= 10**n - 1]
    forms = []
    for length in lengths:
        if length not in full:
            low = max(least, 10 ** (length - 1) if length > 1 else 0)
            forms += _between(str(low), str(min(most, 10**length - 1)))
        elif length == full[0]:
            forms.append(f"[1-9]{_times(full[0] - 1, full[-1] - 1)}")
    return _either(forms)


def _times(least: int, most: int) -> str:
    """So many digits."""
    if most <= 1:
        return {(0, 0): "", (0, 1): "[0-9]?", (1, 1): "[0-9]"}[least, most]
    return f"[0-9]{{{least}}}" if least == most else f"[0-9]{{{least},{most}}}"


def _from(low: str) -> list[str]:
    return _between(low, "9" * len(low))


def _between(low: str, high: str) -> list[str]:
    """Digits of one length, from `low` to `high`."""
    if not low:
        return [""]
    if low[0] == high[0]:
        return [low[0] + rest for rest in _between(low[1:], high[1:])]
    size = len(low) - 1
    forms = []
    first, last = int(low[0]), int(high[0])
    if set(low[1:]) - {"0"}:
        forms += [low[0] + rest for rest in _between(low[1:], "9" * size)]
        first += 1
    cut = bool(set(high[1:]) - {"9"})
    if first <= last - cut:
        forms.append(_range(first, last - cut) + _times(size, size))
    if cut:
        forms += [high[0] + rest for rest in _between("0" * size, high[1:])]
    return forms


def _other_digits(digit: str, bigger: bool, *, first: bool = False) -> str:
    """Digits above or below one; '' where there are none."""
    low, high = (int(digit) + 1, 9) if bigger else (1 if first else 0, int(digit) - 1)
    return _range(low, high) if low <= high else ""


def _range(low: int, high: int) -> str:
    if low == high:
        return str(low)
    return _DIGIT if (low, high) == (0, 9) else f"[{low}-{high}]"


def _either(parts: Iterable[str]) -> str:
    found = list(dict.fromkeys(parts))
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"
