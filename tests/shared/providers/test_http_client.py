"""Faults below HTTP, classified; what happens over real sockets is in the providers' tests."""

import socket

import pytest

from shared.errors import UpstreamError, UpstreamNetwork, UpstreamTimeout
from shared.providers.base import Timeouts
from shared.providers.http_client import HttpClient, network_error


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (TimeoutError(), UpstreamTimeout),
        (ConnectionResetError(), UpstreamNetwork),
        (OSError("unreachable"), UpstreamNetwork),
        (ValueError("no such scheme"), UpstreamNetwork),
    ],
)
def test_a_fault_below_http_is_the_networks_or_the_clocks(fault: Exception, kind: type[UpstreamError]) -> None:
    found = network_error(fault)
    assert type(found) is kind
    assert found.retryable
    assert found.status is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/v1", "nonsense://x/", "http://"])
async def test_an_address_where_nobody_answers_is_a_network_fault(url: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, but not listening: nothing else can take the port meanwhile
        client = HttpClient()
        try:
            with pytest.raises(UpstreamNetwork) as caught:
                async with client.get(url.format(port=bound.getsockname()[1]), headers={}, timeouts=Timeouts()):
                    pass
        finally:
            await client.aclose()
    assert "127.0.0.1" not in caught.value.message
