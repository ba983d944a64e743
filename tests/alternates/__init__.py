"""Right answers written as hardly anybody would write them, one module per notebook after N01."""
