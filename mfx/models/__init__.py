"""Train to a fitted model that scores, recommends, folds in, saves and loads."""
