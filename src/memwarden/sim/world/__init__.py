"""The state of a simulated machine: cgroups with pools of pages, tasks, devices, pressure."""
