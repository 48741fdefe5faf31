"""The kernels, and how ops are lowered to them."""
