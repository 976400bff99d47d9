"""tessellation."""
