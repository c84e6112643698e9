"""Study -> cells with their identity, the training that they share, and in which order it runs."""
