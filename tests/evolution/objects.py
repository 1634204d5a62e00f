"""What an object has besides its fields, and what it may have."""

from pydantic import BaseModel, Field, computed_field

from tests.evolution.pairs import Types, pair


@pair("Fields change places", backward="ok", forward="ok")
def reordered() -> Types:
    class Old(BaseModel):
        name: str
        count: int

    class New(BaseModel):
        count: int
        name: str

    return Old, New


@pair("A field is described", backward="ok", forward="ok")
def described() -> Types:
    class Old(BaseModel):
        count: int

    class New(BaseModel):
        count: int = Field(description="how many", title="Count", examples=[1], deprecated=True)

    return Old, New


@pair("A computed field is added", backward="ok", forward="ok")
def computed_added() -> Types:
    class Old(BaseModel):
        width: int

    class New(BaseModel):
        width: int

        @computed_field  # type: ignore[prop-decorator]
        @property
        def area(self) -> int:
            return self.width**2

    return Old, New


@pair("A computed field becomes a field", backward="ok", forward="ok")
def computed_stored() -> Types:
    class Old(BaseModel):
        width: int

        @computed_field  # type: ignore[prop-decorator]
        @property
        def area(self) -> int:
            return self.width**2

    class New(BaseModel):
        width: int
        area: int

    return Old, New


@pair("Unknown fields are refused from now on", backward="ok", forward="ok")
def extra_forbidden() -> Types:
    class Old(BaseModel):
        name: str

    class New(BaseModel, extra="forbid"):
        name: str

    return Old, New


@pair("A field is added where unknown ones are refused", backward="ok", forward="break")
def added_where_forbidden() -> Types:
    class Old(BaseModel, extra="forbid"):
        name: str

    class New(BaseModel, extra="forbid"):
        name: str
        note: str | None = None

    return Old, New


@pair("A field is removed where unknown ones are refused", backward="break", forward="ok")
def removed_where_forbidden() -> Types:
    class Old(BaseModel, extra="forbid"):
        name: str
        note: str | None = None

    class New(BaseModel, extra="forbid"):
        name: str

    return Old, New


@pair("Unknown fields, kept so far, are refused", backward="break", forward="ok")
def extra_kept_then_forbidden() -> Types:
    class Old(BaseModel, extra="allow"):
        name: str

    class New(BaseModel, extra="forbid"):
        name: str

    return Old, New


@pair("A field is added where unknown ones were kept", backward="break", forward="ok")
def added_where_kept() -> Types:
    class Old(BaseModel, extra="allow"):
        name: str

    class New(BaseModel, extra="allow"):
        name: str
        count: int = 1

    return Old, New
