"""Rules while a watch runs: judged after each pass, told to people, marked on runs."""
