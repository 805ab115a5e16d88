"""The words and rules of Rebento: pure, standard library and numpy only."""
