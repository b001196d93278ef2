"""An iterable of kernel-log text becomes OOM reports, and each report a verdict. Pure."""
