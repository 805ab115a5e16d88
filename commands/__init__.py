"""The commands of `rebento`, by what they do. Each is thin: it calls one thing and prints what came."""
