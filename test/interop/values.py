"""Values that JSON codecs like to change on the way, and a comparison that notices."""

import math

TRAPS = [
    None, True, False, 0, -1,
    1, 1.0, -0.0, 0.1, 1e300, 5e-324, 1e16, 123456789012345680.0,
    2**53 + 1, 2**63, 2**64 - 1, 2**70, -(2**70),
    "", "plain", "Füße", "\u2028\x00\x1f\x7f\"\\/", "日本語", "😀👩\u200d🚀", "e\u0301",
    [], {}, [[]], [None], {"": 0}, {"ä": {"b": [1, [2.0, {"c": None}]]}}, {"z": 1, "a": 2},
]  # fmt: skip

# Not JSON by the book, but what Python's json writes and reads.
PYTHON_ONLY = [math.nan, math.inf, -math.inf, "\ud800", "\udc00x\ud83d", {"\ud800": 1}, [math.nan, {"a": -math.inf}]]


def identical(a, b, ordered=True):
    """Equal, of the same types, with nan equal to nan, -0.0 not to 0.0, and if *ordered* keys in the same order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        arrange = list if ordered else sorted
        return identical([list(i) for i in arrange(a.items())], [list(i) for i in arrange(b.items())], ordered)
    if isinstance(a, list):
        return len(a) == len(b) and all(identical(x, y, ordered) for x, y in zip(a, b, strict=True))
    return repr(a) == repr(b)
