"""What assets are given to do their work with. One module for each way of running it."""
