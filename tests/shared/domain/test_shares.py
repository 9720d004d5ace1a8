import pytest

from shared.domain.shares import parse_shares
from shared.setting_sources import SettingsError, load_settings


def test_percentages_become_shares_and_layers_left_out_get_none() -> None:
    assert parse_shares("L0=70, l1=20%,L2=10") == {"L0": 0.7, "L1": 0.2, "L2": 0.1, "L3": 0.0}


@pytest.mark.parametrize("text", ["", "L0=70", "L0=70,L1=40", "L0=120,L1=-20", "L0=nan", "L0=inf,L1=1"])
def test_what_is_not_a_hundred_per_cent_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"add up to 100|from 0 to 100"):
        parse_shares(text)


@pytest.mark.parametrize("text", ["L9=100", "L0=50,L0=50", "L0", "70,20,8,2", "=100"])
def test_what_names_no_layer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="L0=70,L1=20"):
        parse_shares(text)


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="share of L1"):
        parse_shares("L0=70,L1=many")


def test_the_setting_says_what_is_wrong_with_it() -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings({"ROUTER_SHARE": "L0=5"})
    assert raised.value.problems == ["ROUTER_SHARE: must add up to 100, as in L0=70,L1=20,L2=8,L3=2"]
