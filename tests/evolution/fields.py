"""Fields that come, go, and change their names."""

from pydantic import AliasChoices, BaseModel, Field, computed_field

from tests.evolution.pairs import pair


@pair("An optional field is added", backward="ok", forward="ok")
def optional_added():
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: str
        note: str | None = None

    return Old, New


@pair("A field with a default is added", backward="ok", forward="ok")
def default_added():
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: str
        count: int = 1

    return Old, New


@pair("A field with a default factory is added", backward="ok", forward="ok")
def factory_added():
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: str
        tags: list[str] = Field(default_factory=list)

    return Old, New


@pair("A required field is added", backward="break", forward="ok")
def required_added():
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: str
        count: int

    return Old, New


@pair("A field that may be null but not left out is added", backward="break", forward="ok")
def nullable_added():
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: str
        note: str | None

    return Old, New


@pair("A required field is removed", backward="ok", forward="break")
def required_removed():
    class Old(BaseModel):
        name: str
        count: int

    class New(BaseModel):
        name: str

    return Old, New


@pair("A field with a default is removed", backward="ok", forward="ok")
def default_removed():
    class Old(BaseModel):
        name: str
        count: int = 1

    class New(BaseModel):
        name: str

    return Old, New


@pair("A required field gets a default (it is written all the same)", backward="ok", forward="ok")
def default_given():
    class Old(BaseModel):
        name: str
        count: int

    class New(BaseModel):
        name: str
        count: int = 1

    return Old, New


@pair("A field loses its default (it was written all the same)", backward="ok", forward="ok")
def default_taken():
    class Old(BaseModel):
        name: str
        count: int = 1

    class New(BaseModel):
        name: str
        count: int

    return Old, New


@pair("A default changes", backward="ok", forward="ok")
def default_changed():
    class Old(BaseModel):
        count: int = 1

    class New(BaseModel):
        count: int = 2

    return Old, New


@pair("A field is left out where it is empty", backward="ok", forward="break")
def left_out_where_empty():
    class Old(BaseModel):
        name: str
        note: str | None

    class New(BaseModel):
        name: str
        note: str | None = Field(default=None, exclude_if=lambda value: value is None)

    return Old, New


@pair("A field is not written any more", backward="ok", forward="break")
def excluded():
    class Old(BaseModel):
        name: str
        count: int

    class New(BaseModel):
        name: str
        count: int = Field(default=1, exclude=True)

    return Old, New


@pair("A required field is renamed", backward="break", forward="break")
def renamed():
    class Old(BaseModel):
        client: str

    class New(BaseModel):
        customer: str

    return Old, New


@pair("An optional field is renamed (what it held is lost)", backward="ok", forward="ok")
def optional_renamed():
    class Old(BaseModel):
        client: str | None = None

    class New(BaseModel):
        customer: str | None = None

    return Old, New


@pair("A field is renamed, with the old name as its alias", backward="ok", forward="ok")
def renamed_with_alias():
    class Old(BaseModel):
        client: str

    class New(BaseModel):
        customer: str = Field(alias="client")

    return Old, New


@pair("A field is renamed, and read under both names", backward="unknown", forward="break")
def renamed_read_under_both():
    class Old(BaseModel):
        client: str

    class New(BaseModel):
        customer: str = Field(validation_alias=AliasChoices("customer", "client"))

    return Old, New


@pair("A field gets an alias", backward="break", forward="break")
def alias_added():
    class Old(BaseModel):
        customer: str

    class New(BaseModel):
        customer: str = Field(alias="customerName")

    return Old, New


@pair("All fields get aliases in camel case", backward="break", forward="break")
def camel_case():
    from pydantic.alias_generators import to_camel

    class Old(BaseModel):
        order_id: str

    class New(BaseModel, alias_generator=to_camel):
        order_id: str

    return Old, New


@pair("Fields change places", backward="ok", forward="ok")
def reordered():
    class Old(BaseModel):
        name: str
        count: int

    class New(BaseModel):
        count: int
        name: str

    return Old, New


@pair("A field is described", backward="ok", forward="ok")
def described():
    class Old(BaseModel):
        count: int

    class New(BaseModel):
        count: int = Field(description="how many", title="Count", examples=[1], deprecated=True)

    return Old, New


@pair("A computed field is added", backward="ok", forward="ok")
def computed_added():
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
def computed_stored():
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
def extra_forbidden():
    class Old(BaseModel):
        name: str

    class New(BaseModel, extra="forbid"):
        name: str

    return Old, New


@pair("A field is added where unknown ones are refused", backward="ok", forward="break")
def added_where_forbidden():
    class Old(BaseModel, extra="forbid"):
        name: str

    class New(BaseModel, extra="forbid"):
        name: str
        note: str | None = None

    return Old, New


@pair("A field is removed where unknown ones are refused", backward="break", forward="ok")
def removed_where_forbidden():
    class Old(BaseModel, extra="forbid"):
        name: str
        note: str | None = None

    class New(BaseModel, extra="forbid"):
        name: str

    return Old, New


@pair("Unknown fields, kept so far, are refused", backward="break", forward="ok")
def extra_kept_then_forbidden():
    class Old(BaseModel, extra="allow"):
        name: str

    class New(BaseModel, extra="forbid"):
        name: str

    return Old, New


@pair("A field is added where unknown ones were kept", backward="break", forward="ok")
def added_where_kept():
    class Old(BaseModel, extra="allow"):
        name: str

    class New(BaseModel, extra="allow"):
        name: str
        count: int = 1

    return Old, New
