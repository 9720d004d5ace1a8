"""Errors over MCP: one table from error class to what a model can do about it, and the two forms they take."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, TextContent

from shared import errors
from shared.errors import GatewayError

MAX_TEXT = 4_000
LONGEST_DETAIL = 300
NOTHING: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error class is to a model: what to do next, and the JSON-RPC code where there is no tool result."""

    advice: str
    rpc_code: int = INTERNAL_ERROR


MEANINGS: Mapping[type[GatewayError], Meaning] = {
    errors.InvalidInput: Meaning("Correct the arguments and call again.", INVALID_PARAMS),
    errors.Unsupported: Meaning("Leave that out, or do it another way.", INVALID_PARAMS),
    errors.Unauthenticated: Meaning("The user must give this client valid credentials for the gateway."),
    errors.Forbidden: Meaning("Do not try again: the user must allow this first."),
    errors.NotFound: Meaning("Look up the right name and call again.", INVALID_PARAMS),
    errors.Conflict: Meaning("Look at how it is now before trying again.", INVALID_PARAMS),
    errors.HostKeyChanged: Meaning("Do not connect: ask the user whether this change of the host's key is expected."),
    errors.RateLimited: Meaning("Wait before calling again."),
    errors.BudgetExceeded: Meaning(
        "Do not try again: tell the user that the budget is used up; free models still work."
    ),
    errors.BudgetsUncounted: Meaning("Wait a little and call again; free models still work."),
    errors.Overloaded: Meaning("Wait a little and call again."),
    errors.Unavailable: Meaning("Tell the user what is missing."),
    errors.NotCached: Meaning("Ask without only-if-cached."),
    errors.UpstreamError: Meaning("Try again, or name another model."),
    errors.UpstreamTimeout: Meaning("Ask something smaller, or name a faster model."),
    errors.UpstreamThrottled: Meaning("Wait before calling again, or name another model."),
    errors.UpstreamOverloaded: Meaning("Wait a little and call again, or name another model."),
    errors.UpstreamNetwork: Meaning("Try again, or name a model of another provider."),
    errors.UpstreamBadAnswer: Meaning("Try again, or name another model."),
    errors.UpstreamAuthFailed: Meaning("The user must set a valid key for this provider; another model may work."),
    errors.UpstreamQuota: Meaning("The user's account at this provider is used up; name a model of another one."),
    errors.UpstreamRefused: Meaning("Ask in another way, or name a model of another provider."),
    errors.UpstreamBadRequest: Meaning("Change the request, or name another model."),
    errors.UpstreamUnsupportedParameter: Meaning("Leave the parameter out, or name another model."),
    errors.UpstreamUnable: Meaning("Name a model that can do this; list_models shows what each can do."),
    errors.UpstreamContextTooLong: Meaning("Send less text, or name a model with a larger context window."),
    errors.TerminalError: Meaning("Check that the target is there, then try again."),
}


SAVE = (
    "Ask the user to save a connection with what the login needs (the dashboard, or POST /v1/terminal/connections), then name it "
    "as `connection`; do not ask for the password itself."
)
AGAIN = "Run it again."
FIRST_LOOK = "Look with `pwd` where the session is now, then run it again with the right directory."
ADVICE: Mapping[str, str] = {
    "authentication_failed": SAVE,
    "no_agent": SAVE,
    "channel_refused": "Close sessions on that host that are no longer needed, then try again; a device may only take what is typed "
    "into it (send_to_terminal).",
    "command_ended": AGAIN,
    "command_stopped": AGAIN,
    "connection_lost": "Look at what was done before you do it again.",
    "directory_gone": FIRST_LOOK,
    "recordings_full": "Delete recordings that are no longer needed, or open the terminal without `record`.",
    "sudo_without_credentials": "Ask the user to save the password in the connection; do not ask for the password itself.",
    "sudo_refused": "Tell the user what sudo said; do not try again with the same connection.",
    "shell_not_posix": "Type into its shell with send_to_terminal, or open a terminal without `shell` to run commands.",
    "file_failed": "Look at the file with list_remote_files, then try again.",
    "host_key_revoked": "Do not connect: tell the user.",
    "host_key_unknown": "Tell the user the fingerprint; they must make the key known to the gateway first.",
    "host_too_slow": "Try again; if it stays so, tell the user.",
    "input_not_read": "Interrupt the program with the signal INT, or close the session with close_terminal.",
    "known_hosts_unusable": "Tell the user.",
    "output_not_found": "Run the command again with run_command, and read what you need of its output with read_output "
    "within an hour; write output that is needed for longer to a file.",
    "nothing_runs": "Look with read_terminal at what is there now.",
    "recording_failed": "Tell the user.",
    "session_busy": "Call again with more timeoutSeconds, without sessionId, or once list_terminals shows the session without `busy`.",
    "approval_not_found": "Call again without approvalId: what a person has to approve is asked for again.",
    "connection_not_found": "list_terminals lists the saved connections.",
    "session_not_found": "list_terminals lists the open sessions; open_terminal opens another.",
    "session_expired": "Open another session with open_terminal.",
    "session_closed": "Open another session with open_terminal.",
    "shell_not_started": "Tell the user: that machine cannot start a shell just now.",
    "ssh_config_unusable": "Tell the user what is wrong in their SSH configuration.",
    "approval_given": "Call again as it says.",
    "approval_required": "Tell the user what is to be approved and how, and call again once they have.",
    "code_required": "Ask the user to answer on the gateway's dashboard (Terminals); once they have, make the same call again within a "
    "minute. Do not ask for the code yourself.",
    "code_refused": "Call again, and the user is asked for a new code.",
    "host_key_unconfirmed": "Call open_terminal again, which asks the user.",
    "chat_not_found": "Ask anew, without chatId.",
    "key_limit": "Call again with model `auto` or with what the key allows; the user must allow anything else first.",
    "too_many_chats": "Fetch answers with their chatId, to their end; one that nobody fetches ends after 5 minutes.",
    "too_many_sessions": "Waiting does not help: see with list_terminals which sessions there are, end one that is no longer "
    "needed with close_terminal, and call again.",
}
"""By code, where an error has a better way out than others of its class."""
OF_TOKENS = frozenset({"budget_exceeded", "tokens_exceeded", "more_than_tokens_per_minute"})
"""Codes whose messages say to ask for fewer tokens."""
REST_ADVICE = frozenset({"authentication_failed", "no_agent", "ssh_config_unusable"})
"""Codes whose messages end, behind a semicolon, in what a caller over REST can do."""


def meaning_of(error: GatewayError) -> Meaning:
    """The table's row for an error; a class of its own inherits its parent's."""
    for kind in type(error).__mro__:
        if kind in MEANINGS:
            return MEANINGS[kind]
    return Meaning("Tell the user.")


def text_of(error: GatewayError) -> str:
    """What is wrong, what else is known, what to do, and the code."""
    lines = [_told(error)[:MAX_TEXT]]
    if error.details:
        lines += _details(error.details)
    advice = ADVICE.get(error.code) or meaning_of(error).advice
    if error.retry_after is not None and error.code not in ADVICE:
        advice += f" It can work again in {max(1, math.ceil(error.retry_after))} s."
    lines.append(f"What to do: {advice}")
    lines.append(f"(code: {error.code})")
    return "\n".join(lines)


def tool_result(error: GatewayError) -> CallToolResult:
    """The error as a tool's answer, which the model reads."""
    return failed(text_of(error))


def failed(text: str) -> CallToolResult:
    """A tool's answer that says why there is none."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def protocol_error(error: GatewayError, uri: str) -> MCPError:
    """The error for what is no tool call: a resource that cannot be read."""
    return MCPError(meaning_of(error).rpc_code, error.message, {"uri": uri, "code": error.code})


def internal(request: str) -> str:
    """What anybody is told of a bug of ours; the log has the rest under the request's name."""
    return (
        f"The gateway failed in a way it did not expect (request {request}); its log has the reason.\n"
        "What to do: try once more, then tell the user.\n(code: internal_error)"
    )


def _told(error: GatewayError) -> str:
    """The message, without advice that names fields which only REST has, and with the tools' names of the others."""
    if error.code in OF_TOKENS:
        return error.message.replace("max_tokens", "maxTokens")
    if error.code not in REST_ADVICE:
        return error.message
    return error.message.partition(";")[0].rstrip(".") + "."


def _details(details: errors.Details) -> list[str]:
    """The details in words: the rejected fields, the failed attempts, or whatever they are."""
    if isinstance(details, str):
        return [details[:MAX_TEXT]]
    if fields := details.get("fields"):
        return [f"- {found['field']}: {found['reason']}" for found in fields[1:]]
    if attempts := details.get("attempts"):
        return [f"- {found['model']} ({found['provider']}): {found['message']}"[:500] for found in attempts]
    if dropped := details.get("dropped"):
        return [f"- {found['model']}: {found['reason']}"[:300] for found in dropped[:8]]
    return [f"- {name}: {_words(value)[:LONGEST_DETAIL]}" for name, value in details.items() if value not in NOTHING]


def _words(value: Any) -> str:
    """A detail as people write it, without what is not there."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_nested(item)}" for name, item in value.items() if item not in NOTHING)
    if isinstance(value, list | tuple):
        return ", ".join(map(_nested, value))
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _nested(value: Any) -> str:
    return f"({_words(value)})" if isinstance(value, Mapping | list | tuple) else _words(value)
