"""Use cases: one folder a data set; what its rows must look like, where they come from."""
