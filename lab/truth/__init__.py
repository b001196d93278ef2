"""What is said about Linux's memory limits, and what real kernels do."""
