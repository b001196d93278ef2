"""What the kernel does with memory: charge, reclaim, throttle, kill, swap, write back."""
