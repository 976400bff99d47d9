"""ebsd."""
