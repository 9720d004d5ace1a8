"""The resources, and the families of them: literal tables, in the order in which hosts list them."""

from collections.abc import Mapping

from mcp_gateway import marks
from mcp_gateway.resource import JSON, TEXT, Resource, Template, reader

RESOURCES: Mapping[str, Resource] = {
    resource.uri: resource
    for resource in (
        Resource(
            uri="models://registry",
            name="registry",
            title="Model registry",
            description="The models that `chat` can use, with layer, price, context window and capabilities.",
            operations=("list_models",),
            scope="models:read",
            read=reader("snapshots", "registry"),
            mark=marks.registry,
        ),
        Resource(
            uri="models://layers",
            name="layers",
            title="Layers",
            description="The four layers from free (L0) to premium (L3): on or off, and their models in order.",
            operations=("list_layers",),
            scope="models:read",
            read=reader("snapshots", "layers"),
            mark=marks.layers,
        ),
        Resource(
            uri="gateway://health",
            name="health",
            title="Gateway health",
            description="Which providers and models answer now, whether the database does, and the configuration.",
            operations=("health",),
            scope=None,
            read=reader("snapshots", "health"),
            mark=marks.health,
        ),
        Resource(
            uri="gateway://routing",
            name="routing",
            title="Routing now",
            description="Each layer's usable models, the providers, and who rests after failures and for how long.",
            operations=("list_models", "list_providers", "list_layers"),
            scope="models:read",
            read=reader("snapshots", "routing"),
            mark=marks.routing,
        ),
        Resource(
            uri="gateway://budget",
            name="budget",
            title="Budgets",
            description="The budgets that bind you: limit, spent, left, and when they reset.",
            operations=("list_budgets",),
            scope="models:read",
            read=reader("usage", "budgets"),
            mark=marks.budget,
        ),
        Resource(
            uri="usage://today",
            name="usage",
            title="Usage today",
            description="Requests, tokens and cost of today (UTC), by model.",
            operations=("usage", "list_budgets"),
            scope="models:read",
            read=reader("usage", "today"),
            mark=marks.usage,
        ),
        Resource(
            uri="terminal://sessions",
            name="sessions",
            title="Terminal sessions",
            description="The open terminal sessions, those in the background included.",
            operations=("list_terminals",),
            scope="terminal",
            read=reader("terminal_snapshots", "sessions"),
            mark=marks.sessions,
        ),
    )
}

OUTPUT = Template(
    uri="terminal://{id}/output",
    name="output",
    title="Output of a terminal session",
    description="What the session's shell or program has written, as text without colours; the end of it when it is long.",
    mime_type=TEXT,
    values="sessions",
    operations=("read_terminal",),
    scope="terminal",
    read=reader("terminal_snapshots", "output"),
    mark=marks.session,
)
TEMPLATES: tuple[Template, ...] = (
    Template(
        uri="models://{id}",
        name="model",
        title="A model",
        description="One model: layer, price, context window, capabilities, and whether it can be used now.",
        mime_type=JSON,
        values="models",
        operations=("get_model", "list_models"),
        scope="models:read",
        read=reader("snapshots", "model"),
        mark=marks.model,
        with_slashes=True,
    ),
    OUTPUT,
    Template(
        uri="terminal://{id}/screen",
        name="screen",
        title="Screen of a terminal session",
        description="The session's screen as it is now, a line for each row.",
        mime_type=TEXT,
        values="sessions",
        operations=("read_terminal",),
        scope="terminal",
        read=reader("terminal_snapshots", "screen"),
        mark=marks.screen,
    ),
)
