"""Fields under other names."""

from pydantic import AliasChoices, AliasPath, BaseModel, Field
from pydantic.alias_generators import to_camel

from tests.evolution.pairs import Types, pair


@pair("A required field is renamed", backward="break", forward="break")
def renamed() -> Types:
    class Old(BaseModel):
        client: str

    class New(BaseModel):
        customer: str

    return Old, New


@pair("An optional field is renamed (what it held is lost)", backward="ok", forward="ok")
def optional_renamed() -> Types:
    class Old(BaseModel):
        client: str | None = None

    class New(BaseModel):
        customer: str | None = None

    return Old, New


@pair("A field is renamed, with the old name as its alias", backward="ok", forward="ok")
def renamed_with_alias() -> Types:
    class Old(BaseModel):
        client: str

    class New(BaseModel):
        customer: str = Field(alias="client")

    return Old, New


@pair("A field is renamed, and read under both names", backward="ok", forward="break")
def renamed_read_under_both() -> Types:
    class Old(BaseModel):
        client: str

    class New(BaseModel):
        customer: str = Field(validation_alias=AliasChoices("customer", "client"))

    return Old, New


@pair("A field gets an alias", backward="break", forward="break")
def alias_added() -> Types:
    class Old(BaseModel):
        customer: str

    class New(BaseModel):
        customer: str = Field(alias="customerName")

    return Old, New


@pair("All fields get aliases in camel case", backward="break", forward="break")
def camel_case() -> Types:
    class Old(BaseModel):
        order_id: str

    class New(BaseModel, alias_generator=to_camel):
        order_id: str

    return Old, New


@pair("Aliases in camel case, and names are read too", backward="ok", forward="break")
def camel_case_besides() -> Types:
    class Old(BaseModel):
        order_id: str

    class New(BaseModel, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True):
        order_id: str

    return Old, New


@pair("A field is read under a name that had another type", backward="break", forward="ok")
def name_reused() -> Types:
    class Old(BaseModel):
        weight: str = ""

    class New(BaseModel):
        grams: int = Field(default=0, validation_alias=AliasChoices("grams", "weight"))

    return Old, New


@pair("A field is read from within another", backward="unknown", forward="break")
def read_from_path() -> Types:
    class Price(BaseModel):
        amount: int

    class Old(BaseModel):
        price: Price

    class New(BaseModel):
        amount: int = Field(validation_alias=AliasChoices("amount", AliasPath("price", "amount")))

    return Old, New
