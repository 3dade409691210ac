"""What a quota is: pure computation, no input or output, no clock of its own."""
