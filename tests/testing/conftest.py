collect_ignore_glob = ["example/*"]  # a plugin of its own; test_mutants runs its tests, on copies
