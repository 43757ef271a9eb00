"""A few sentences, in two languages where it takes them, in the place of large texts in tests."""

import random
import re

WORDS = [("a", "ein"), ("man", "mann"), ("dog", "hund"), ("child", "kind"), ("runs", "läuft"), ("sleeps", "schläft"),
         ("sees", "sieht"), ("red", "rot"), ("house", "haus"), ("tree", "baum"), ("and", "und"), ("not", "nicht")]


def write(folder):
    """train, valid and test in `folder`, 60, 10 and 10 pairs; and words.txt, 2,000 sentences."""
    folder.mkdir(exist_ok=True)
    draw = random.Random(1)
    for part, count in (("train", 60), ("valid", 10), ("test", 10)):
        pairs = [[draw.choice(WORDS) for _ in range(draw.randint(2, 6))] for _ in range(count)]
        for side, language in enumerate(("en", "de")):
            lines = "".join(" ".join(word[side] for word in pair) + "\n" for pair in pairs)
            (folder / (part + "." + language)).write_text(lines, encoding="utf-8")
    words = [" ".join(draw.choice(WORDS)[0] for _ in range(draw.randint(2, 6))) for _ in range(2000)]
    (folder / "words.txt").write_text("\n".join(words) + "\n", encoding="utf-8")


def instead(text, folder):
    """`text` with these sentences for its Multi30k or its Penn Treebank, and few subwords."""
    if "multi30k" not in text and "ptb/" not in text:
        return text
    write(folder)
    text = re.sub(r"ptb/ptb\.(\w+)\.txt(\.gz)?", str(folder / "words.txt"), text)
    text = re.sub(r"multi30k/(\w+)", lambda found: str(folder / {"train": "train", "val": "valid"}.get(found[1], "test")), text)
    return re.sub(r"pieces=\d+", "pieces=40", text)
