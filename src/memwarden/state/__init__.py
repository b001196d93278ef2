"""One host at one instant, as facts: snapshots, kernel traits, gaps, and the deltas of two snapshots."""
