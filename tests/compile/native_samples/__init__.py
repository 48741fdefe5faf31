"""Small kernels for the tests of the native runtime."""
