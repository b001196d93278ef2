"""What the kernel prints: one file per interface, its record and its pure parser. No I/O."""
