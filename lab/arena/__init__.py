"""The guard beside the daemons that people use today, in one guest, on the same troubles."""
