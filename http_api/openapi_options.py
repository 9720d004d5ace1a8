"""The options of a chat in the OpenAPI description: what each one means, and the headers that say the same."""

from collections.abc import Mapping
from typing import Any

from http_api.chat_headers import ESCALATION, FOREIGN_SESSIONS, LONGEST_SESSION, SESSIONS

MEANINGS: Mapping[str, str] = {
    "maxLayer": "The highest layer that `auto` may go to by itself, or an answer may escalate to. It is leave to spend.",
    "minLayer": "The lowest layer that `auto` starts in.",
    "quality": "How much hangs on the answer: with `high`, requests that look hard start in L1; `critical` starts in L2.",
    "crossCheck": "Have a second model check the answer; where it has a better one, a third decides between the two. "
    "The verdict is in the answer's `gateway` object. A stream is sent once the whole answer is checked.",
    "selfCheck": "Have the model check its own answer; one that does not pass can escalate.",
    "agreement": "With 2, two models are asked at once: where they agree the cheaper answer is taken, otherwise it "
    "goes one layer up, as far as that is allowed. 0 and 1 ask one.",
    "escalate": "Go one layer up when the answer shows itself not good enough (a refusal, cut off, empty, not the JSON "
    "that was asked for, a wrong tool call, no agreement, a failed check), up to `maxLayer`. Without it, what the operator has set.",
    "escalation": "What to do before such a step that costs money: `allow` goes there, `confirm` answers 409 with the "
    "code `escalation_needs_confirmation`; its `details` hold the answer there is, the next model and what it may cost.",
    "hedge": "Set a second model beside one that is slower than usual, and take the answer that comes first.",
    "allowPaid": "Let this request reach models in the free layer L0 that bill, which are otherwise kept out.",
    "budgetUsd": "The most US dollars that the whole request may cost, checks and further attempts included.",
    "session": "Names the conversation, which then stays with its model while that works.",
    "cache": "Whether the answer may come from the cache and be kept in it. Without it, what the operator has set.",
    "cacheControl": "The same directives as in the header Cache-Control.",
    "timeoutMs": "The longest that the whole request may take, over all attempts, in milliseconds.",
    "tags": "Names and values for usage reports and budgets: team, project, user.",
}
"""By the option's name on the wire."""

OPTION_HEADERS: list[dict[str, Any]] = [
    {
        "name": "X-Gateway-Options",
        "in": "header",
        "description": "The `gateway` object as JSON, for clients that cannot change the body; the body wins.",
        "schema": {"type": "string"},
    },
    {
        "name": ESCALATION,
        "in": "header",
        "description": "The option `escalation`; X-Gateway-Options and the body win.",
        "schema": {"type": "string", "enum": ["allow", "confirm"]},
    },
    *(
        {
            "name": name,
            "in": "header",
            "description": "The option `session`; X-Gateway-Options and the body win.",
            "schema": {"type": "string"}
            if name in FOREIGN_SESSIONS
            else {"type": "string", "minLength": 1, "maxLength": LONGEST_SESSION},
        }
        for name in SESSIONS
    ),
]


def described_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of the options with what each one means."""
    properties = {name: {**schema, "description": MEANINGS[name]} for name, schema in options["properties"].items()}
    return {
        **options,
        "properties": properties,
        "description": "What a caller may ask of the router; never sent to a provider. Everything may be left out.",
    }
