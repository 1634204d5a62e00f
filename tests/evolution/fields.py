"""Fields that come and go."""

from pydantic import BaseModel, Field

from tests.evolution.pairs import Types, pair


@pair("An optional field is added", backward="ok", forward="ok")
def optional_added() -> Types:
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: str
        note: str | None = None

    return Old, New


@pair("A field with a default is added", backward="ok", forward="ok")
def default_added() -> Types:
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: str
        count: int = 1

    return Old, New


@pair("A field with a default factory is added", backward="ok", forward="ok")
def factory_added() -> Types:
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: str
        tags: list[str] = Field(default_factory=list)

    return Old, New


@pair("A required field is added", backward="break", forward="ok")
def required_added() -> Types:
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: str
        count: int

    return Old, New


@pair("A field that may be null but not left out is added", backward="break", forward="ok")
def nullable_added() -> Types:
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: str
        note: str | None

    return Old, New


@pair("A required field is removed", backward="ok", forward="break")
def required_removed() -> Types:
    class Old(BaseModel):
        name: str
        count: int

    class New(BaseModel):
        name: str

    return Old, New


@pair("A field with a default is removed", backward="ok", forward="ok")
def default_removed() -> Types:
    class Old(BaseModel):
        name: str
        count: int = 1

    class New(BaseModel):
        name: str

    return Old, New


@pair("A required field gets a default (it is written all the same)", backward="ok", forward="ok")
def default_given() -> Types:
    class Old(BaseModel):
        name: str
        count: int

    class New(BaseModel):
        name: str
        count: int = 1

    return Old, New


@pair("A field loses its default (it was written all the same)", backward="ok", forward="ok")
def default_taken() -> Types:
    class Old(BaseModel):
        name: str
        count: int = 1

    class New(BaseModel):
        name: str
        count: int

    return Old, New


@pair("A default changes", backward="ok", forward="ok")
def default_changed() -> Types:
    class Old(BaseModel):
        count: int = 1

    class New(BaseModel):
        count: int = 2

    return Old, New


@pair("A field is left out where it is empty", backward="ok", forward="break")
def left_out_where_empty() -> Types:
    class Old(BaseModel):
        name: str
        note: str | None

    class New(BaseModel):
        name: str
        note: str | None = Field(default=None, exclude_if=lambda value: value is None)

    return Old, New


@pair("A field is not written any more", backward="ok", forward="break")
def excluded() -> Types:
    class Old(BaseModel):
        name: str
        count: int

    class New(BaseModel):
        name: str
        count: int = Field(default=1, exclude=True)

    return Old, New
