"""What the classes that declare params.yaml are built of."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A mapping in params.yaml: no unknown keys, no conversions, no changes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


# The one default that a key may have. What the code does without the key stands in the code, so
# that a change of it reruns the stages that it concerns.
LEFT_OUT: Any = None


def described(words: str) -> Any:
    """A key, and what editors and docs/params.md say of it."""
    return Field(description=words)


Count = Annotated[int, Field(ge=1, lt=2**31)]
Share = Annotated[float, Field(ge=0, lt=1)]
