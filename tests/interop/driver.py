"""A client of OmniQ or of ours as a process: calls come in on stdin, answers go out on stdout.

Run by either interpreter, with the package's name as its argument: it knows only what both share.
A line in: a list of `{"port", "on": "client"|"monitor", "method", "args", "kwargs"}`; a line out:
for each `{"result"}` or `{"error", "message"}`. Ends when stdin does.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import inspect
import json
import sys
from collections.abc import Mapping
from typing import Any


def main(package: str) -> None:
    client_class = importlib.import_module(f"{package}.client").OmniqClient
    monitor_class = importlib.import_module(f"{package}.monitor").QueueMonitor
    objects: dict[int, dict[str, Any]] = {}

    def answer(call: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"result": plain(result(call))}
        except Exception as error:
            return {"error": type(error).__name__, "message": str(error)}

    def result(call: dict[str, Any]) -> Any:
        if call["method"] == "version":
            return importlib.metadata.version(package)
        if call["method"] == "names":
            return [*names_of(client_class), *names_of(monitor_class)]
        port = call["port"]
        if port not in objects:
            client = client_class(host="127.0.0.1", port=port)
            objects[port] = {"client": client, "monitor": monitor_class(client)}
        method = getattr(objects[port][call["on"]], call["method"])
        return method(*call["args"], **call["kwargs"])

    for line in sys.stdin:
        print(json.dumps([answer(call) for call in json.loads(line)]), flush=True)


def names_of(class_: type[Any]) -> list[str]:
    """Every public method and each of its parameters, `Class.method.parameter`."""
    public = {name: getattr(class_, name) for name in dir(class_) if not name.startswith("_")}
    methods = {name: each for name, each in public.items() if callable(each)}
    methods["__init__"] = class_
    return [
        f"{class_.__name__}.{name}.{parameter}"
        for name, method in methods.items()
        for parameter in ["", *inspect.signature(method).parameters]
        if parameter != "self"
    ]


def plain(value: Any) -> Any:
    """As JSON has it: dataclasses and named tuples as objects, tuples as arrays, bytes as text."""
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value


if __name__ == "__main__":
    main(sys.argv[1])
