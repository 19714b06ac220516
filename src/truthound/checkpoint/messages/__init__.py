"""What people are told of a run: one message, and its forms for each channel."""
