"""The notebook runs from its first cell to its last, and draws its picture."""

import importlib.util
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "sentences-to-search.ipynb"


def test_the_notebook_is_what_its_script_writes(tmp_path, monkeypatch):
    pytest.importorskip("nbformat")
    spec = importlib.util.spec_from_file_location("make", NOTEBOOK.with_name("make.py"))
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    monkeypatch.setattr(make, "__file__", str(tmp_path / "make.py"))
    make.main()
    assert (tmp_path / NOTEBOOK.name).read_text(encoding="utf-8") == NOTEBOOK.read_text(encoding="utf-8")


def test_the_notebook_runs():
    for module in ("nbclient", "ipykernel", "matplotlib"):
        pytest.importorskip(module)
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=1200, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
