"""Tables of the documentation, each row a measurement that is kept with its date and its code."""
