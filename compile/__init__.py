"""From graph to machine: plan, kernels, native program, cache, threads."""
