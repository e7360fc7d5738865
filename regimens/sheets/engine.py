"""The typesetting process: reads one request a line, answers each with a line of lengths and then the bytes.

It runs on its own (``typeset`` starts it, by file path, isolated), because a typesetter's memory must not stay in a web worker.
It imports nothing of the product. Errors go back as words about the template, never with a patient's data.
"""

from __future__ import annotations

import json
import sys
from typing import IO, Any

import typst

Request = dict[str, Any]


def typeset(request: Request, compilers: dict[tuple[str, ...], typst.Compiler]) -> list[bytes]:
    """One sheet as a list of files: a PDF is one, PNG is one a page."""
    paths = tuple(request["font_folders"])
    if paths not in compilers:
        fonts = typst.Fonts(include_system_fonts=False, font_paths=list(paths))
        compilers[paths] = typst.Compiler(root=request["root"], font_paths=fonts, ignore_system_fonts=True)
    made = compilers[paths].compile(
        input=request["template"],
        format=request["format"],
        ppi=request["ppi"],
        sys_inputs={"sheet": json.dumps(request["sheet"])},
        pdf_standards=request["standards"],
    )
    if made is None:
        raise typst.TypstError("nothing was typeset", "")
    return made if isinstance(made, list) else [made]


def answer(line: bytes, compilers: dict[tuple[str, ...], typst.Compiler]) -> tuple[dict[str, Any], list[bytes]]:
    """The head of the answer and the files that follow it."""
    try:
        files = typeset(json.loads(line), compilers)
    except RuntimeError as problem:  # what typst raises: a fault of the template, or of a path
        return {"error": getattr(problem, "message", str(problem)), "lengths": []}, []
    return {"error": "", "lengths": [len(file) for file in files]}, files


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answers until the requests end."""
    compilers: dict[tuple[str, ...], typst.Compiler] = {}
    for line in requests:
        head, files = answer(line, compilers)
        answers.write(json.dumps(head).encode() + b"\n")
        for file in files:
            answers.write(file)
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
