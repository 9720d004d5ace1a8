"""What a trace is asked for by."""

import pytest
from pydantic import ValidationError

from shared.domain.story import TraceRef


@pytest.mark.parametrize("bad", ["", "nonsense", "4BF92F3577B34DA6A3CE929D0E0E4736", "0" * 33])
def test_only_a_trace_id_names_a_trace(bad: str) -> None:
    with pytest.raises(ValidationError):
        TraceRef.model_validate({"traceId": bad})
