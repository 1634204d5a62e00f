"""What texts look like on the wire: dates, times, durations, base64, as regular expressions. They
use nothing that regex engines disagree on."""

from __future__ import annotations

from omniq_typed.schema.wire.numerals import natural_at_most

_YEAR = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_MONTH_AND_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DATE = f"(?:{_YEAR}-{_MONTH_AND_DAY}|{_LEAP_YEAR}-02-29)"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
_OFFSET = "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"

DATE = "^(?:[1-9]|0[1-9]|00[1-9]|000[1-9])"
"""Beside the format `date`: years begin with 1."""
AWARE_DATETIME = rf"{DATE}[0-9-]+T[0-9:]+:[0-5][0-9](?:\.[0-9]+)?(?:Z|[+-][0-9:]+)$"
"""Beside the format `date-time`: years begin with 1, no minute has 61 seconds."""
NAIVE_DATETIME = f"^{_DATE}T{_TIME}$"
NAIVE_TIME = f"^{_TIME}$"
AWARE_TIME = f"^{_TIME}{_OFFSET}$"


def _duration() -> str:
    """As Pydantic writes it: a year is 365 days, there are no months or weeks, each part is less
    than one of the part before; at most 999,999,999 days."""
    days = natural_at_most(364)
    hours, minutes = natural_at_most(23), natural_at_most(59)
    clock = (
        rf"T(?:{hours}H(?:{minutes}M)?(?:{minutes}(?:\.[0-9]{{1,6}})?S)?"
        rf"|{minutes}M(?:{minutes}(?:\.[0-9]{{1,6}})?S)?|{minutes}(?:\.[0-9]{{1,6}})?S)"
    )
    years = natural_at_most(2_739_725)
    usual = f"(?:{years}Y(?:{days}D)?(?:{clock})?|{days}D(?:{clock})?|{clock})"
    longest = f"2739726Y(?:[0-8]D)?(?:{clock})?"
    return f"^(?:-?P(?:{usual}|{longest}|2739726Y9D)|P2739726Y9D{clock})$"


DURATION = _duration()

_STANDARD, _URL_SAFE = "A-Za-z0-9+/", "A-Za-z0-9_-"


def _base64(letters: str) -> str:
    """Padded; the bits that the last letter has too many of are 0."""
    end = f"[{letters}][AQgw]==|[{letters}]{{2}}[AEIMQUYcgkosw048]="
    return f"^(?:[{letters}]{{4}})*(?:{end})?$"


BASE64 = _base64(_STANDARD)
BASE64_URL = _base64(_URL_SAFE)

HEX = "^(?:[0-9A-Fa-f]{2})*$"

TRIMMED = r"^(?:[^\p{White_Space}](?:[\s\S]*[^\p{White_Space}])?)?$"

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_BYTE}(?:\.{_BYTE}){{3}}"
# Which colons an IPv6 address may leave out is not said: whoever reads it knows.
_IPV6 = r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:%[^%/\s]+)?"

IPV4_NETWORK = f"^{_IPV4}/{natural_at_most(32)}$"
IPV6_NETWORK = f"^{_IPV6}/{natural_at_most(128)}$"
IPV4_ADDRESS = f"^{_IPV4}$"
IPV6_ADDRESS = f"^{_IPV6}$"

UUID_OF_VERSION = "^[0-9A-Fa-f-]{{14}}{}[0-9A-Fa-f-]{{4}}[89ABab]"
"""Beside the format `uuid`: the version, and the variant, without which there is no version."""
