"""How runs are run: slots and queues, triggers and timers, shutdown and delivery."""
