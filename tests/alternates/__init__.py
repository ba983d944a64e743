"""Right answers written as hardly anybody would write them, by notebook: importing a module registers its answers."""
