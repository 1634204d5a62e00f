"""Field types that mean the same in every language."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from annotated_types import Ge, Le

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that JavaScript, and whatever reads JSON numbers as doubles, keeps exact."""

SafeInt: TypeAlias = Annotated[int, Ge(-MAX_SAFE_INTEGER), Le(MAX_SAFE_INTEGER)]
"""An int that every language reads exactly."""
