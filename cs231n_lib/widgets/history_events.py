"""What the lectures name between 1959 and 2022: dates and names are theirs, the sentences ours.

The lectures give decades for David Marr and for the AI winter; those are drawn as spans of years.
"""

from dataclasses import dataclass

# idea -> what it means in one line; an event's first idea is its lane
IDEAS = {
    "edges": "contours first",
    "parts": "shapes made of shapes",
    "grouping": "cut the image into regions",
    "features": "what to measure by hand",
    "learning": "weights from examples",
    "convolution": "one filter everywhere",
    "data": "what to learn from",
    "attention": "every patch looks at every other",
    "everywhere": "what it was used for",
}


@dataclass(frozen=True)
class Happening:
    """One entry: the year it stands at, the year as the lectures give it, a short title, who, a sentence, its ideas."""

    year: int
    title: str
    who: str
    what: str
    ideas: tuple[str, ...]
    told: str = ""

    @property
    def when(self) -> str:
        return self.told or str(self.year)


EVENTS = (
    Happening(1959, "Simple cells", "Hubel and Wiesel",
              "Cells in a cat's visual cortex answer to edges at one place; complex cells answer wherever the edge is.",
              ("edges", "convolution")),
    Happening(1963, "Blocks world", "Roberts",
              "A program finds the edges of blocks in a photograph and works out their solids.", ("edges", "parts")),
    Happening(1973, "Pictorial structures", "Fischler and Elschlager",
              "A face is a few parts held together by springs: matching stretches as few of them as possible.",
              ("parts",)),
    Happening(1975, "Stages of vision", "David Marr",
              "Vision goes by stages: from the image to edges, to surfaces, to a model in three dimensions.",
              ("edges", "parts"), "1970s"),
    Happening(1979, "Generalized cylinders", "Brooks and Binford",
              "Objects are described by cylinders that may bend and change their width along an axis.", ("parts",)),
    Happening(1980, "Neocognitron", "Fukushima",
              "Layers of simple cells (convolution) and complex cells (pooling), in turn. There is no practical way to "
              "train it.", ("convolution", "learning")),
    Happening(1986, "Canny edges", "John Canny",
              "An edge detector derived from what a good one should do; it is still in every toolbox.", ("edges",)),
    Happening(1986, "Backpropagation", "Rumelhart, Hinton and Williams",
              "Gradients flow backwards through the layers: networks with more than one layer can be trained.",
              ("learning",)),
    Happening(1987, "Recognition from edges", "David Lowe",
              "Objects of known shape are found by matching their edges with those in the image.", ("edges", "parts")),
    Happening(1997, "Normalized cuts", "Shi and Malik",
              "Pixels are a graph; cutting it where the ties are weak leaves regions that belong together.",
              ("grouping",)),
    Happening(1998, "LeNet", "LeCun, Bottou, Bengio and Haffner",
              "A convolutional network trained by backpropagation reads handwritten digits, and cheques for real.",
              ("convolution", "learning")),
    Happening(1999, "SIFT", "David Lowe",
              "Local features that survive turning, scaling and other light: objects are matched by many of them.",
              ("features",)),
    Happening(2001, "Face detection", "Viola and Jones",
              "Many weak classifiers, learned and chained, find faces in real time: one of the first successes of "
              "learning in vision.", ("learning", "features", "everywhere")),
    Happening(2004, "Caltech 101", "Fei-Fei et al.",
              "Photographs of 101 kinds of objects: methods are compared on the same images.",
              ("data",)),
    Happening(2005, "Bag of visual words", "Fei-Fei and Perona",
              "A scene is a histogram of patches from a learned codebook; where they were is forgotten.",
              ("features", "learning")),
    Happening(2006, "Deep networks, step by step", "Hinton and Salakhutdinov",
              "Deep networks can be trained if each layer is prepared first and all are tuned with backpropagation.",
              ("learning",)),
    Happening(2007, "PASCAL VOC", "PASCAL", "A yearly challenge: which of twenty kinds of objects, and where?",
              ("data",)),
    Happening(2007, "Greedy layers", "Bengio et al.",
              "Why preparing a deep network layer by layer helps, studied on several kinds of layers.", ("learning",)),
    Happening(2009, "Convolutional beliefs", "Lee et al.",
              "Deep convolutional models learn edges, then parts, then objects, from images without labels.",
              ("learning", "convolution")),
    Happening(2009, "ImageNet", "Deng et al.",
              "Photographs by the million, sorted by a dictionary. Its challenge: 1,000 classes and 1,431,167 images.",
              ("data",)),
    Happening(2010, "Why deep is hard", "Glorot and Bengio",
              "Signals fade or grow from layer to layer; weights of the right size at the start keep them alive.",
              ("learning",)),
    Happening(2012, "AlexNet", "Krizhevsky, Sutskever and Hinton",
              "A convolutional network on two GPUs wins the ImageNet challenge by far. Deep learning is mainstream: 32 "
              "years after the neocognitron.", ("convolution", "learning")),
    Happening(2012, "Scene labelling", "Farabet et al.", "A convolutional network names what every pixel belongs to.",
              ("everywhere", "convolution", "grouping")),
    Happening(2014, "Video", "Simonyan et al.", "Two networks, one for frames and one for motion, name what people do.",
              ("everywhere", "convolution")),
    Happening(2014, "Pose", "Toshev and Szegedy", "A network looks at a person and gives the places of the joints.",
              ("everywhere", "convolution")),
    Happening(2014, "Atari games", "Guo et al.", "A network plays from the pixels of the screen.",
              ("everywhere", "convolution")),
    Happening(2014, "Galaxies", "Dieleman et al.", "A network that knows about rotation sorts galaxies by their shape.",
              ("everywhere", "convolution")),
    Happening(2015, "Faster R-CNN", "Ren, He, Girshick and Sun",
              "One network proposes boxes and names what is in them: detection many times faster.",
              ("everywhere", "convolution")),
    Happening(2015, "Captions", "Vinyals et al.; Karpathy and Fei-Fei",
              "A convolutional network looks, a recurrent one writes: images get sentences.",
              ("everywhere", "learning")),
    Happening(2015, "Residual networks", "He et al.",
              "Layers that add to what comes in: networks of more than a hundred layers can be trained.",
              ("convolution", "learning")),
    Happening(2015, "ImageNet challenge", "Russakovsky et al.",
              "What five years of the challenge taught, written down.",
              ("data",)),
    Happening(2016, "Medical images", "Levy et al.",
              "Networks help to tell the harmless from the harmful in mammograms.",
              ("everywhere", "convolution")),
    Happening(2017, "Transformers", "Vaswani et al.", "Attention alone, without convolution or recurrence, translates.",
              ("attention", "learning")),
    Happening(2021, "Vision transformer", "Dosovitskiy et al.",
              "An image is worth 16x16 words: its patches go through a transformer, and enough data makes up for the "
              "missing convolutions.", ("attention", "learning")),
    Happening(2022, "Latent diffusion", "Rombach et al.", "Images from text: noise is taken away step by step, in a "
              "compressed space.", ("everywhere", "attention")),
)  # fmt: skip

# (from, to, what was handed on), by titles
LINKS = (
    ("Simple cells", "Neocognitron", "simple and complex cells become layers"),
    ("Neocognitron", "LeNet", "the architecture"),
    ("Backpropagation", "LeNet", "the way to train it"),
    ("SIFT", "Bag of visual words", "local features, counted"),
    ("Caltech 101", "PASCAL VOC", "a common test"),
    ("PASCAL VOC", "ImageNet", "a thousand classes instead of twenty"),
    ("Backpropagation", "Deep networks, step by step", "for the last tuning"),
    ("Neocognitron", "AlexNet", "32 years"),
    ("LeNet", "AlexNet", "the same network, larger"),
    ("ImageNet", "AlexNet", "data enough"),
    ("AlexNet", "Faster R-CNN", "features for detection"),
    ("AlexNet", "Residual networks", "many more layers"),
    ("Transformers", "Vision transformer", "attention, now on patches"),
)
WINTER = (1987, 1993)  # "AI winter": the lectures put it between the 1980s and the 1990s, without dates
