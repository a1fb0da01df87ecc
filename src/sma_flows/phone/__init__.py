"""A telephone on a flow: call it, press keys, stay silent, step back, try another way, save what was done as a test."""
