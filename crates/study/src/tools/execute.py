"""Runs a notebook in place with Jupyter's own executor, and prints a line before each code cell."""

import sys

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

path, kernel, timeout = sys.argv[1], sys.argv[2], int(sys.argv[3])
notebook = nbformat.read(path, as_version=4)
code = [cell for cell in notebook.cells if cell.cell_type == "code"]
started = 0


def tell(cell, cell_index):
    """Prints the cell's number among the code cells."""
    global started
    if cell.cell_type == "code":
        started += 1
        first = next((line for line in cell.source.splitlines() if line.strip()), "")
        print(f"cell {started}/{len(code)} {first}", flush=True)


client = NotebookClient(
    notebook,
    kernel_name=kernel,
    timeout=timeout or None,
    startup_timeout=300,
    on_cell_start=tell,
)
try:
    client.execute()
except CellExecutionError as error:
    # evcxr tells what went wrong in the cell's outputs, not in its reply.
    outputs = code[started - 1].outputs
    said = [line for out in outputs for line in out.get("traceback") or [out.get("evalue"), out.get("text")] if line]
    sys.exit(f"cell {started} of {len(code)} failed:\n" + ("\n".join(said) or str(error)))
except (TimeoutError, RuntimeError) as error:
    sys.exit(f"cell {started} of {len(code)}: {error}")
nbformat.write(notebook, path)
