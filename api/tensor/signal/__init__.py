"""Signal functions: pooling."""
