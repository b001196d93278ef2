"""How the kernel (and the kubelet) decides: pure functions over records, each citing its source."""
