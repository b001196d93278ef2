"""Host readers and kernel parsers put together: a live machine or an archive becomes a Snapshot."""
