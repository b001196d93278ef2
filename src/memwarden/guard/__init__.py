"""The guard's judgement: policy to IR to compiled rules; snapshots in, decisions out. Pure."""
