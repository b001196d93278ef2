"""Records become text, tables, pictures and JSON documents. MiB, percent and seconds exist only here."""
