import re

import pandas as pd

from evis.companion import folded


def test_a_part_each_with_escaped_texts_and_the_same_bytes_every_time():
    texts = pd.DataFrame({"what": ["a < b", "c", "d"], "part": ["two", "one", "two"]})
    found = folded.table(texts, "part", {"c": "red"})
    assert re.findall(r"<summary>(.*?)</summary>", found) == ["two: 2", "one: 1"]
    assert "a &lt; b" in found and "a < b" not in found and "color: red" in found
    assert found == folded.table(texts, "part", {"c": "red"})
