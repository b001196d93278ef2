"""How true the simulator is: real programs on real kernels, and the same scenario simulated."""
