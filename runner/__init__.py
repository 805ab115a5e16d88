"""What a Bento carries beside service.py: the graph, row validation, golden rows, the worker entry."""
