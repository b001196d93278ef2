"""What stands around a kernel message: loggers, collectors, consoles, mail programs."""
