"""The errors that the core raises; each surface maps their codes to its own form.

GatewayError
├── InvalidInput            the caller's request is wrong; it names field and reason
│   └── Unsupported         right in form, but not possible for this target
├── Unauthenticated         no valid credentials
├── Forbidden               valid credentials that do not allow this
├── NotFound                no such model, session, key, provider, …
├── Conflict                the thing exists already, or has changed meanwhile
│   └── HostKeyChanged      an SSH host shows another key than the one we know
├── RateLimited             a limit of this gateway is reached
│   └── BudgetExceeded      no more money may be spent for this caller, tag or gateway in this period
│       └── BudgetsUncounted    nobody can say now what is left of the budgets
├── Overloaded              the gateway takes no more work just now
├── Unavailable             nothing can serve this now (no model, no database)
│   └── NotCached           only a cached answer was wanted, and there is none
├── UpstreamError           a provider failed; the executor decides what is next
│   ├── UpstreamTimeout
│   ├── UpstreamThrottled
│   ├── UpstreamOverloaded
│   ├── UpstreamNetwork     below HTTP: not reachable, broken off
│   ├── UpstreamBadAnswer   a good status, but no answer in it
│   ├── UpstreamAuthFailed
│   ├── UpstreamQuota
│   ├── UpstreamRefused     its rules do not let it answer this; another provider's may
│   ├── UpstreamUnable      the model cannot call tools, or see images; another one may
│   ├── UpstreamBadRequest  the provider says the caller's request is wrong: not retried
│   │   └── UpstreamUnsupportedParameter  the model does not support one parameter of the request
│   └── UpstreamContextTooLong
└── TerminalError           a shell or connection could not be opened or has gone
"""

from typing import Any, Literal

Ability = Literal["tools", "vision"]
"""What a model may be unable to do."""

Details = str | dict[str, Any]


class GatewayError(Exception):
    """A failure that a caller may be told of.

    `message` is one sentence that says what is wrong and what to do, `details` more of it,
    `operator_detail` goes to the log only. `code` is stable and machine-readable.
    """

    code: str = "internal_error"
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        details: Details = "",
        operator_detail: str = "",
        retry_after: float | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.operator_detail = operator_detail
        self.retry_after = retry_after
        if code:
            self.code = code


class InvalidInput(GatewayError):
    code = "invalid_request"


def invalid_field(name: str, reason: str) -> InvalidInput:
    """The error for one field of a request."""
    return InvalidInput(f"'{name}' is not valid: {reason}.", details={"fields": [{"field": name, "reason": reason}]})


class Unsupported(InvalidInput):
    code = "unsupported"


class Unauthenticated(GatewayError):
    code = "unauthenticated"

    def __init__(self, message: str = "", **more: Any) -> None:
        super().__init__(
            message
            or "Authentication is required: log in at POST /v1/auth/login, or make an API key, and send it in the header "
            "'Authorization: Bearer …' or 'x-api-key'.",
            **more,
        )


class Forbidden(GatewayError):
    code = "forbidden"


class NotFound(GatewayError):
    code = "not_found"


class Conflict(GatewayError):
    code = "conflict"


class HostKeyChanged(Conflict):
    code = "host_key_changed"


class RateLimited(GatewayError):
    code = "rate_limited"
    retryable = True


class BudgetExceeded(RateLimited):
    code = "budget_exceeded"


class BudgetsUncounted(BudgetExceeded):
    code = "budgets_uncounted"


class Overloaded(GatewayError):
    code = "overloaded"
    retryable = True


class Unavailable(GatewayError):
    code = "unavailable"
    retryable = True


class NotCached(Unavailable):
    code = "not_cached"
    retryable = False


class UpstreamError(GatewayError):
    """A provider failed. `status` is its HTTP status, where it gave one.

    `usage` is what an answer that is none used all the same, in OpenAI's form: the provider bills it. `begun` says that
    an answer had begun, with a good status, and did not come to its end: it may be billed, and nobody knows in full.
    """

    code = "provider_failed"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        usage: dict[str, Any] | None = None,
        begun: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(message, **kwargs)
        self.status = status
        self.usage = usage
        self.begun = begun


class UpstreamTimeout(UpstreamError):
    code = "provider_timeout"


class UpstreamThrottled(UpstreamError):
    code = "provider_rate_limited"


class UpstreamOverloaded(UpstreamError):
    code = "provider_overloaded"


class UpstreamNetwork(UpstreamError):
    code = "provider_unreachable"


class UpstreamBadAnswer(UpstreamError):
    code = "provider_bad_answer"


class UpstreamAuthFailed(UpstreamError):
    code = "provider_auth_failed"


class UpstreamQuota(UpstreamError):
    code = "provider_quota_exceeded"


class UpstreamRefused(UpstreamError):
    code = "content_refused"


class UpstreamBadRequest(UpstreamError):
    code = "provider_rejected_request"
    retryable = False


class UpstreamUnsupportedParameter(UpstreamBadRequest):
    """The model does not support `parameter`, or the value given for it."""

    code = "provider_unsupported_parameter"

    def __init__(self, message: str, *, parameter: str = "", **more: Any) -> None:
        super().__init__(message, **more)
        self.parameter = parameter


class UpstreamUnable(UpstreamError):
    """The model cannot do what the request needs: `ability` is `tools` or `vision`."""

    code = "provider_model_unable"

    def __init__(self, message: str, *, ability: Ability = "tools", **more: Any) -> None:
        super().__init__(message, **more)
        self.ability = ability


class UpstreamContextTooLong(UpstreamError):
    code = "context_length_exceeded"


class TerminalError(GatewayError):
    code = "terminal_failed"
