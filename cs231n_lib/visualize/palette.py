"""The colours of every figure. Chosen once, so that no figure depends on telling red from green."""

# Okabe and Ito, "Color Universal Design" (2008): told apart with every common kind of colour blindness. Yellow is last:
# on a light panel it is the weakest.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#F0E442")

# Eight colours and ten classes: a marker tells apart what shares a colour, and serves readers who see no colour.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h", "<", ">")

# A figure brings its own light, opaque panel and dark ink. A transparent one would inherit a dark notebook theme and
# put dark text on it; a dark panel prints badly and weakens the palette, which was designed on white.
PANEL = "#FAFAFA"
INK = "#222222"
GRID = "#CFCFCF"


def colour(class_index: int) -> str:
    """Return the colour of a class: "#rrggbb"; the eight colours repeat."""
    return OKABE_ITO[class_index % len(OKABE_ITO)]


def marker(class_index: int) -> str:
    """Return the scatter marker of a class; ten markers repeat, so a (colour, marker) pair returns after forty."""
    return MARKERS[class_index % len(MARKERS)]
