"""What programs do, one file per kind of part."""
