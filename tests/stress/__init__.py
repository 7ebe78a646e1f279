"""What breaks the program on purpose: short in the tests, long by `make stress`."""
