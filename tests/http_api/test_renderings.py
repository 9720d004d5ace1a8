"""Which form of an answer a client wants."""

import pytest

from http_api.errors import HttpError
from http_api.renderings import Rendering, Renderings, chosen
from shared.errors import InvalidInput

CSV = Rendering(media="text/csv; charset=utf-8", filename="x.csv", render=lambda _: b"")
FORMS = {"csv": CSV}


@pytest.mark.parametrize("accept", ["text/csv", "TEXT/CSV", "application/json;q=0.5, text/csv", "text/csv, */*;q=0.1"])
def test_csv_where_it_is_preferred(accept: str) -> None:
    assert chosen(FORMS, None, accept) is CSV


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        "application/json, text/csv",
        "text/csv;q=0.4, application/json;q=0.5",
        "application/*;q=0.1",
        "text/html,application/xhtml+xml,*/*;q=0.8",
        ";;,,q=",
    ],
)
def test_json_everywhere_else(accept: str) -> None:
    assert chosen(FORMS, None, accept) is None


@pytest.mark.parametrize("forms", [FORMS, {}], ids=["csv too", "JSON only"])
@pytest.mark.parametrize(
    "accept", ["text/html", "text/csv;q=0", "text/csv;q=nan", "text/csv;q=x", "application/json;q=0, */*;q=0.0"]
)
def test_nothing_is_sent_to_a_client_that_takes_none_of_it(accept: str, forms: Renderings) -> None:
    with pytest.raises(HttpError, match="application/json") as refused:
        chosen(forms, None, accept)
    assert refused.value.status == 406


def test_the_parameter_is_stronger_than_the_header() -> None:
    assert chosen(FORMS, "csv", "application/json") is CSV
    assert chosen(FORMS, "json", "text/csv") is None


@pytest.mark.parametrize("asked", ["xml", "", "CSV"])
def test_an_unknown_form_is_refused(asked: str) -> None:
    with pytest.raises(InvalidInput, match="json, csv"):
        chosen(FORMS, asked, "")
