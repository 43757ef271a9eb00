#!/usr/bin/env python3
"""Golden values of BLEU: tokens and scores by sacrebleu (Post 2018), which must be installed (pip install sacrebleu).

make_bleu.py           writes bleu.json beside this file
make_bleu.py --check   recomputes it; exit status 1 where it differs
"""

import json
import pathlib
import random
import sys

import sacrebleu
from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

FILE = pathlib.Path(__file__).with_name("bleu.json")

TEXTS = [
    "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt.",
    "A dog runs... and runs, and runs.",
    "It costs $3.50, or 1,000.5 - not 2-3 or x-ray -- at 5.",
    "3.", ".5", "1-", "-1", "a-b", "5-a", "a.b,c", "1.2.3", "..", ".,.", ",,1,,a", "'quoted' \"double\" `back`",
    "Tom &amp; Jerry &quot;say&quot; &lt;hi&gt; &amp;quot;", "<skipped>gone<skipped>", "(brackets) [square] {curly} a/b~c",
    "Straße, grüßt. Öl? „Ja“ – nein!", "a\u00a0b\u2009c", "e-mail@host.org: 50% off!", "  many   spaces  ", "tab\there",
    "日本。語", "...", "5,a 5,5 a,5", "end of line -", "It's 10.", "x,", "9.a.9", "a!!b", "#tag $5 %6 ^7 *8 +9 =10 _11 |12 \\13",
]

WORDS = "a the man woman dog in on red blue street runs walks , . ! 5 3.5 playing with ball two people".split()


def corpora():
    draw = random.Random(1)
    for sentences, noise in [(20, 0.2), (50, 0.5), (5, 0.0), (8, 1.0)]:
        meant, said = [], []
        for _ in range(sentences):
            words = [draw.choice(WORDS) for _ in range(draw.randint(1, 15))]
            other = [draw.choice(WORDS) if draw.random() < noise else word for word in words if draw.random() > noise / 4]
            meant.append(" ".join(words))
            said.append(" ".join(other))
        yield said, meant
    yield ["the the the the the the the"], ["the cat is on the mat"]
    yield ["a b c"], ["a b c"]  # no n-grams of the fourth order
    yield ["x y z w v"], ["a b c d e"]  # nothing in common
    yield ["a b x y z"], ["a b c d e"]  # nothing of higher orders
    yield [""], ["a b c"]
    yield ["", "a man walks in the street ."], ["nothing was said", "a man walks down the street ."]


def several():
    """As captions have them: up to five references a sentence, and not all of one length."""
    draw = random.Random(2)
    for sentences, noise in [(30, 0.3), (40, 0.7), (6, 0.0)]:
        said, meant = [], []
        for _ in range(sentences):
            words = [draw.choice(WORDS) for _ in range(draw.randint(2, 14))]
            said.append(" ".join(words))
            meant.append([" ".join(draw.choice(WORDS) if draw.random() < noise else word for word in words
                                   if draw.random() > 0.2) or "a" for _ in range(draw.randint(1, 5))])
        yield said, meant
    yield ["a b c d"], [["a b", "a b c d e f"]]  # equally far: the shorter one counts
    yield ["a a a b"], [["a a b", "a c a d", "b b b"]]
    yield ["a man walks", "x"], [["a man walks home today"], ["x y", "x", "z x"]]


def golden():
    tokenise = Tokenizer13a()
    result = {"sacrebleu": sacrebleu.__version__, "tokens": [], "corpora": [], "several": []}
    for text in TEXTS:
        result["tokens"].append([text, tokenise(text.rstrip())])
    for said, meant in corpora():
        scores = [BLEU(max_ngram_order=n).corpus_score(said, [meant]) for n in (1, 2, 3, 4)]
        full = scores[-1]
        result["corpora"].append({"said": said, "meant": meant, "bleu": [s.score / 100 for s in scores],
                                  "correct": full.counts, "total": full.totals, "tokens": full.sys_len,
                                  "reference_tokens": full.ref_len})
    for said, meant in several():
        # A list for each place in the lists; None where a sentence has fewer.
        columns = [[its[i] if i < len(its) else None for its in meant] for i in range(max(map(len, meant)))]
        scores = [BLEU(max_ngram_order=n).corpus_score(said, columns) for n in (1, 2, 3, 4)]
        full = scores[-1]
        result["several"].append({"said": said, "meant": meant, "bleu": [s.score / 100 for s in scores],
                                  "correct": full.counts, "total": full.totals, "tokens": full.sys_len,
                                  "reference_tokens": full.ref_len})
    return json.dumps(result, ensure_ascii=False, indent=0) + "\n"


if sys.argv[1:] == ["--check"]:
    sys.exit(0 if FILE.read_text(encoding="utf-8") == golden() else 1)
FILE.write_text(golden(), encoding="utf-8")
