"""The ops of the graph."""
