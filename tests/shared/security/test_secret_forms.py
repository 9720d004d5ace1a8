"""The rows of the table of secret forms."""

import pytest

from shared.security import secret_forms
from shared.security.secret_forms import Form, Reader
from tests.shared.security.secret_corpus import SECRETS


@pytest.mark.parametrize("row", [*secret_forms.FORMS, *secret_forms.READERS])
def test_programs_are_written_as_they_are_looked_up(row: Form | Reader) -> None:
    assert row.programs == row.programs.lower()
    assert row.programs.split()


@pytest.mark.parametrize("form", secret_forms.FORMS)
def test_every_form_says_where_the_secret_stands(form: Form) -> None:
    assert form.letters or form.words or form.joined or form.places
    assert not set(form.letters) & set(form.flags) or form.programs.startswith("zip")


def test_most_programs_of_the_table_stand_in_the_corpus() -> None:
    programs = {row.programs.split()[0] for row in (*secret_forms.FORMS, *secret_forms.READERS)}
    corpus = " ".join(SECRETS).lower()
    assert len([name for name in programs if name in corpus]) > len(programs) * 3 // 4
