"""The guard as a process: one loop over triggers and a timer; judgement is in ``guard``, acts in ``host``."""
