"""What results of this package have in common: frozen, checked, and kept as JSON."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field


class JsonResult(BaseModel):
    """A frozen result whose fields are the keys of its JSON, or their aliases."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return self.model_dump(by_alias=True)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Result from what `to_dict` returned.

        Raises
        ------
        pydantic.ValidationError
            If a value is missing, unknown or of another kind.
        """
        return cls.model_validate(content)


def kept_as(key: str) -> Any:
    """A field whose key in the JSON is older than its name."""
    return Field(validation_alias=key, serialization_alias=key)
