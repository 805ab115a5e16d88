"""One file a revision. A revision only adds, so that an older Bento can go on using a newer database."""
