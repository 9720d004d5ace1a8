"""What a caller waits for on a terminal, and how they are shown what came."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.domain.targets import refuse
from shared.domain.wire import Wire

View = Literal["text", "screen", "diff"]
WaitFor = Literal["output", "prompt", "exit", "silence", "screen"]
WaitEnd = Literal["matched", "output", "prompt", "prompt-like", "password", "exit", "silence", "screen", "timeout"]

Cursor = Annotated[int, Field(ge=0)]
WithAttributes = Annotated[
    bool,
    Field(
        description="With the views 'screen' and 'diff': tell which text is highlighted, reversed, bold, underlined or in "
        "colour."
    ),
]


class Wait(Wire):
    """What to wait for after typing, and how to show what came."""

    for_: WaitFor = Field(
        alias="for",
        description="'output': text that matches 'pattern', or any. 'prompt': a shell or program that waits for input. "
        "'exit': the end of the shell. 'silence': no output for 'quietMs'. 'screen': a rendered screen that matches "
        "'pattern', or that stays the same for 'quietMs'.",
    )
    pattern: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None,
        description="Regular expression (RE2 syntax) over text without control sequences, what is typed and echoed "
        "included; ^ and $ are the ends of a line.",
    )
    quiet_ms: Annotated[int, Field(ge=10, le=60_000)] = Field(
        300, description="Milliseconds without change that count as quiet ('prompt', 'silence', 'screen')."
    )
    timeout_ms: Annotated[int, Field(ge=1, le=60_000)] = Field(10_000, description="Wait at most so long.")
    cursor: Cursor | None = Field(
        None, description="Wait for, and answer with, what comes after this cursor; by default, after what is typed."
    )
    view: View = Field("text", description="How to answer: new text, the whole screen, or its changed rows.")
    strip: bool = Field(False, description="Leave control sequences (colours, cursor movements) out of the text.")
    attributes: WithAttributes = False

    @model_validator(mode="after")
    def _pattern_has_a_use(self) -> Self:
        if self.pattern is not None and self.for_ not in ("output", "screen"):
            raise refuse("pattern", "belongs to 'output' and 'screen'; leave it out")
        return self
