"""The formats of JSON Schema as regular expressions: not all that validators take, but the usual
and the odd of each."""

from __future__ import annotations

from omniq_typed.schema.wire import wire_texts

_MONTH_AND_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DATE = f"(?:[0-9]{{4}}-{_MONTH_AND_DAY}|[0-9]{{2}}(?:0[48]|[2468][048]|[13579][26])-02-29)"
_CLOCK = r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?)"
_TIME = rf"(?:{_CLOCK}(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])|23:59:60[Zz])"
_HEX = "[0-9A-Fa-f]"
_LABEL = "[A-Za-z0-9]{1,20}(?:-[A-Za-z0-9]{1,20})?"
_HOST = rf"{_LABEL}(?:\.{_LABEL}){{0,4}}"
# Plain enough for those who read URLs by the web's rules, as Pydantic does.
_SITE = r"(?:[a-z0-9]{1,12}\.){0,3}[a-z]{2,8}"
_GROUP = f"{_HEX}{{1,4}}"
_IPV4 = wire_texts.IPV4_ADDRESS.strip("^$")
_IPV6 = (
    rf"(?:{_GROUP}(?::{_GROUP}){{7}}|(?:{_GROUP}(?::{_GROUP}){{0,2}})?"
    rf"::(?:{_GROUP}(?::{_GROUP}){{0,3}})?|::(?:ffff:)?{_IPV4})"
)
_CHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})"
_PATH = f"{_CHAR}*(?:/{_CHAR}*)*"
_TAIL = rf"(?:\?(?:{_CHAR}|[/?])*)?(?:#(?:{_CHAR}|[/?])*)?"
_WORD = "[a-z0-9]{1,12}"

PATTERNS = {
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}$",
    "date-time": f"^{_DATE}[Tt]{_TIME}$",
    "duration": (
        "^P(?:[0-9]{1,4}W|[0-9]{1,4}D|[0-9]{1,4}Y(?:[0-9]{1,2}M(?:[0-9]{1,2}D)?)?"
        "|(?:[0-9]{1,3}D)?T(?:[0-9]{1,3}H(?:[0-9]{1,2}M(?:[0-9]{1,2}S)?)?|[0-9]{1,3}[MS]))$"
    ),
    "uuid": f"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}$",
    "ipv4": f"^{_IPV4}$",
    "ipv6": f"^{_IPV6}$",
    "hostname": f"^{_HOST}$",
    "email": (
        rf"^[A-Za-z0-9!#$%&'*+/=?^_`\{{|\}}~-]{{1,20}}(?:\.{_WORD}){{0,2}}"
        rf"@{_HOST}\.[a-z]{{2,6}}$"
    ),
    "uri": (
        rf"^(?:[a-z][a-z0-9+.-]{{0,10}}://(?:{_WORD}@)?(?:{_SITE}|{_IPV4}|\[{_IPV6}\])"
        rf"(?::[1-9][0-9]{{0,3}})?(?:/{_PATH})?{_TAIL}|[a-z]{{2,8}}:{_CHAR}+(?:/{_CHAR}+)*{_TAIL})$"
    ),
    "uri-reference": f"^(?:[/a-z0-9.]{_PATH})?{_TAIL}$",
    "uri-template": rf"^/?(?:{_WORD}(?:/\{{[+/?]?{_WORD}(?:,{_WORD})*\}})?)*$",
    "json-pointer": "^(?:/(?:[^/~]|~[01])*)*$",
    "regex": "^(?:[a-z0-9]|\\^[a-z]{1,5}[+*?]?\\$|[a-z]{2}\\|[a-z]{2})*$",
}
