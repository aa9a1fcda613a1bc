"""The notebook runs from its first cell to its last, and draws its picture."""

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "sentences-to-search.ipynb"


def test_the_notebook_runs():
    for module in ("nbclient", "ipykernel", "matplotlib"):
        pytest.importorskip(module)
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=1200, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    errors = [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert not any("Traceback" in output.text for output in errors)
