"""Notebook 20: exercises say what their solutions print; weights of a reader run through it."""

import re
import string

import nbformat
import pytest
import torch
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer, ViTConfig, ViTModel

from evis.data import paths

BOOK = nbformat.read(paths.notebooks() / "20_uvis_step_by_step.ipynb", as_version=4)
# Printed by the solutions, in the order of the exercises.
SAID = ["0", "50 0\n1 12", "True\nFalse"]


def run(**parameters):
    """All that the notebook defines, run at the smallest scale under these parameters."""
    cells = [cell for cell in BOOK.cells if cell.cell_type == "code"]
    defined = {}
    for cell in cells:
        exec(compile(cell.source, cell.id, "exec"), defined)
        if "parameters" in cell.metadata.get("tags", []):
            defined |= {"scale": "smoke"} | parameters
    return defined


@pytest.fixture
def weights(tmp_path):
    """Folders of a DINO and a CLIP with random weights; a token a letter."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 2}
    dino = ViTModel(ViTConfig(**sizes, image_size=32, patch_size=8), add_pooling_layer=False)
    dino.save_pretrained(tmp_path / "dino")
    letters = string.ascii_lowercase + ","
    marks = ["<|startoftext|>", "<|endoftext|>"]
    tokens = [*letters, *(letter + "</w>" for letter in letters), *marks]
    CLIPTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=[]).save_pretrained(
        tmp_path / "clip"
    )
    words = {"vocab_size": len(tokens), "max_position_embeddings": 40}
    words |= {"bos_token_id": len(tokens) - 2, "eos_token_id": len(tokens) - 1}
    config = CLIPConfig(
        text_config=sizes | words | {"projection_dim": 8},
        vision_config=sizes | {"image_size": 16, "patch_size": 8, "projection_dim": 8},
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(tmp_path / "clip")
    return {f"{name}_weights": str(tmp_path / name) for name in ("dino", "clip")}


@pytest.mark.slow
def test_solutions_print_what_the_exercises_say(unsaved, capsys):
    defined = run()
    (exercises,) = (cell.source for cell in BOOK.cells if "## Exercises" in cell.source)
    solutions = re.findall(r"```python\n(.*?)```", exercises, flags=re.DOTALL)
    capsys.readouterr()
    printed = []
    for solution in solutions:
        exec(solution, defined)
        printed.append(capsys.readouterr().out.strip())
    assert printed == SAID
    told = re.findall(r"```\n\n(.*?)</details>", exercises, flags=re.DOTALL)
    starts = ["None.", "0 and 12.", "True and False."]
    assert [text[: len(start)] for text, start in zip(told, starts, strict=True)] == starts


@pytest.mark.slow
def test_the_notebook_runs_with_weights_of_a_readers(unsaved, weights):
    defined = run(**weights)
    assert (defined["rows"], defined["columns"]) == (8, 12)  # whole patches of DINO's
    titles = defined["titles"]
    classes = defined["dataset"].category_names.values()
    assert all(title.rpartition(" (")[0] in classes for title in titles)
    assert "dino" in defined["labelled"].origin
