"""One module for each step of the pipeline: its flags, and the call that does the work."""
