"""Speed as a ratio to a peer, both measured in one run on one machine."""
