"""What Python code checks, which no schema says."""

from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from tests.evolution.pairs import Types, pair


def not_loud(text: str) -> str:
    if text.isupper():
        raise ValueError("not so loud")
    return text


@pair("A validator is added", backward="unknown", forward="ok")
def validator_added() -> Types:
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: Annotated[str, AfterValidator(not_loud)]

    return Old, New


@pair("A validator is removed", backward="ok", forward="unknown")
def validator_removed() -> Types:
    class Old(BaseModel):
        name: Annotated[str, AfterValidator(not_loud)]

    class New(BaseModel):
        name: str

    return Old, New


@pair("A validator stays, and a field is added", backward="ok", forward="ok")
def validator_kept() -> Types:
    class Old(BaseModel):
        name: Annotated[str, AfterValidator(not_loud)]

    class New(BaseModel):
        name: Annotated[str, AfterValidator(not_loud)]
        note: str | None = None

    return Old, New


@pair("A validator does something else", backward="unknown", forward="unknown")
def validator_changed() -> Types:
    class Old(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def check(cls, value: str) -> str:
            if len(value) > 100:
                raise ValueError("too long")
            return value

    class New(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def check(cls, value: str) -> str:
            if len(value) > 50:
                raise ValueError("too long")
            return value

    return Old, New


@pair("A validator becomes a constraint", backward="unknown", forward="unknown")
def validator_to_constraint() -> Types:
    def short(text: str) -> str:
        if len(text) > 5:
            raise ValueError("too long")
        return text

    class Old(BaseModel):
        name: Annotated[str, AfterValidator(short)]

    class New(BaseModel):
        name: Annotated[str, Field(max_length=5)]

    return Old, New


@pair("A validator of the whole is added", backward="unknown", forward="ok")
def model_validator_added() -> Types:
    class Old(BaseModel):
        low: int
        high: int

    class New(BaseModel):
        low: int
        high: int

        @model_validator(mode="after")
        def in_order(self) -> "New":
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    return Old, New


@pair("A validator reads the old form too", backward="unknown", forward="break")
def old_form_read() -> Types:
    def split(value: object) -> object:
        return value.split(",") if isinstance(value, str) else value

    class Old(BaseModel):
        tags: str

    class New(BaseModel):
        tags: Annotated[list[str], BeforeValidator(split, json_schema_input_type=str | list[str])]

    return Old, New


@pair("The bounds of a value that code checks are loosened", backward="ok", forward="break")
def checked_and_loosened() -> Types:
    class Old(BaseModel):
        name: Annotated[str, Field(max_length=5), AfterValidator(not_loud)]

    class New(BaseModel):
        name: Annotated[str, Field(max_length=9), AfterValidator(not_loud)]

    return Old, New
