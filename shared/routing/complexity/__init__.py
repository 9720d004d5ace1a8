"""How hard a request looks, judged here in a millisecond from its words alone, for routing `auto`."""
