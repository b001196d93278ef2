"""One file per block of an OOM report: the texts that kernels print there, and what they say."""
