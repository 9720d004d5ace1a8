"""`stdio --connect`: messages pass between a host's pipes and a running gateway's Streamable HTTP, in both eras of the protocol."""
