"""Source: a program as one C99 file of tables and a few loops, and the header that goes with it.

A convolution adds, for each weight that is not zero, a stretch of its source to its sums: loops over
neighbouring numbers, which compilers turn into vector instructions, with four weights in each. Nothing is
allocated; all values lie in one static array.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from gnap_search.export import _memory, _tables
from gnap_search.export._program import (
    IMAGE,
    Convolution,
    Linear,
    Pointwise,
    Pooling,
    Program,
    Step,
    Weighted,
    literal,
)
from gnap_search.export._tables import Table

LIBRARY = Path(__file__).with_name("_library.c")
FLOAT = 4  # bytes
SLACK = 15  # floats beyond the last one that a processor may read and write with it
COLUMNS = 108  # of a line of numbers
MOST = {"unsigned char": (1 << 8) - 1, "unsigned short": (1 << 16) - 1, "unsigned int": (1 << 32) - 1}
FILLING = 0.05  # weights of zero that are worth a table of bytes, as a share of the others
HEADER = """\
/* A classifier of images, written by gnap-search. SPDX-License-Identifier: Apache-2.0 */
#ifndef GNAP_SEARCH_MODEL_H
#define GNAP_SEARCH_MODEL_H

enum {{
    MODEL_CHANNELS = {channels},
    MODEL_HEIGHT = {height},
    MODEL_WIDTH = {width},
    MODEL_CLASSES = {classes},
    MODEL_MEMORY = {memory} /* bytes that are written to, all of them static */
}};
{names}
/* Reads MODEL_CHANNELS x MODEL_HEIGHT x MODEL_WIDTH numbers from 0 to 1 and writes MODEL_CLASSES logits; the
   class is that of the greatest. One call at a time: all calls share their memory. */
void model_logits(const float *image, float *logits);

/* The same for bytes from 0 to 255. */
void model_logits_of_bytes(const unsigned char *image, float *logits);

#endif
"""
NAMES = """
/* What the classes are called, in UTF-8. */
extern const char *const model_classes[MODEL_CLASSES];
"""


class Source:
    """The texts of a program, and what it takes to run them."""

    def __init__(self, program: Program, classes: Sequence[str]) -> None:
        """`classes` may be empty, where nobody has named them."""
        self._program, self._classes = program, classes
        self._plan = _memory.plan(program)
        self._tables = {
            step.result: self._table(step) for step in program.steps if isinstance(step, Weighted)
        }
        self._tables = _narrow(self._tables)
        self._sums = max((_sums(step, self._row(step)) for step in _convolutions(program)), default=0)
        self._values = self._plan.floats + (SLACK if self._sums else 0)

    @property
    def memory(self) -> int:
        """Bytes of static memory that is written to."""
        return FLOAT * (self._values + self._sums)

    def header(self) -> str:
        """What a program that calls it includes."""
        channels, height, width = self._program.shape
        return HEADER.format(
            channels=channels,
            height=height,
            width=width,
            classes=self._program.steps[-1].size[0],
            memory=self.memory,
            names=NAMES if self._classes else "",
        )

    def text(self, header: str) -> str:
        """The C file; `header` is the name of the file that it includes."""
        parts = [
            f'#include "{header}"',
            *([_names(self._classes)] if self._classes else []),
            f"typedef {_kind(table.steps for table in self._tables.values())} step;",
            f"typedef {_kind(table.counts for table in self._tables.values())} number;",
            f"static float values[{self._values}];",
            *([f"static float sums[{self._sums}];"] if self._sums else []),
            *self._library(),
            *(self._constants(step) for step in self._program.steps if isinstance(step, Weighted)),
            self._run(),
            self._entry("model_logits", "float", "*image++"),
            self._entry("model_logits_of_bytes", "unsigned char", "(float)*image++ / 255.0f"),
        ]
        return "\n\n".join(parts) + "\n"

    def _table(self, step: Weighted) -> Table:
        source = self._plan.layouts[step.sources[0]]
        if isinstance(step, Convolution):
            return _tables.of_convolution(step, source, self._plan.phases.get(step.result))
        assert isinstance(step, Linear), "there are no other layers"
        return _tables.of_linear(step, source)

    def _row(self, step: Convolution) -> int:
        """From one row of its sums to the next."""
        phases = self._plan.phases.get(step.result)
        return phases.layout.row if phases else self._plan.layouts[step.sources[0]].row

    def _library(self) -> Iterator[str]:
        """The functions that the steps call."""
        sections = _sections()
        kinds = {type(step) for step in self._program.steps}
        wanted = {"convolution": Convolution in kinds, "phases": bool(self._plan.phases)}
        wanted |= {"linear": Linear in kinds, "pooling": Pooling in kinds}
        yield from (sections[name] for name, used in wanted.items() if used)

    def _constants(self, step: Weighted) -> str:
        table, number = self._tables[step.result], step.result
        arrays = [
            _array("float", f"weights_{number}", (literal(value) for value in table.weights.tolist())),
            _array("float", f"biases_{number}", (literal(value) for value in step.bias.tolist())),
            _array("step", f"steps_{number}", map(str, table.steps.tolist())),
            _array("number", f"counts_{number}", map(str, table.counts.tolist())),
        ]
        if isinstance(step, Convolution):
            arrays += [*self._phase_constants(step), self._convolution(step)]
        return "\n".join(arrays)

    def _phase_constants(self, step: Convolution) -> Iterator[str]:
        if phases := self._plan.phases.get(step.result):
            flat = [str(part) for phase in phases.used for part in phase]
            yield _array("int", f"phases_{step.result}", flat)

    def _convolution(self, step: Convolution) -> str:
        to, number = self._plan.layouts[step.result], step.result
        other = self._plan.layouts[step.sources[-1]]
        fields = {
            "channels": step.summed[0],
            "height": step.summed[1],
            "width": step.summed[2],
            "row": self._row(step),
            "pool": step.pool,
            "activate": int(step.activate),
            **{"to": to.begin, "to_plane": to.plane, "to_row": to.row},
            **{"other": other.begin, "other_plane": other.plane, "other_row": other.row},
            **{name: f"{name}_{number}" for name in ("weights", "biases", "steps", "counts")},
        }
        told = ", ".join(f".{name} = {value}" for name, value in fields.items())
        return "\n".join(_wrapped(f"static const struct convolution convolution_{number} = {{{told}}};"))

    def _run(self) -> str:
        lines = [
            "/* All steps but the first, which copies the image. */",
            "static void run(float *logits)",
            "{",
        ]
        lines += ["    int i, c, y, x;", "    float v;"] if self._loops() else ["    int i;"]
        for step in self._program.steps[1:]:
            lines += self._clear(step)
            lines += [f"    {line}" for line in self._call(step)]
        last = self._program.steps[-1]
        place = f"values[{self._start(last.result)} + i]"
        lines += [f"    for (i = 0; i < {last.size[0]}; i++)", f"        logits[i] = {place};", "}"]
        return "\n".join(lines)

    def _loops(self) -> bool:
        return any(isinstance(step, Pointwise) for step in self._program.steps[1:])

    def _clear(self, step: Step) -> Iterator[str]:
        """The zeros around a value: what lay in its block before has left others there."""
        layout, start = self._plan.layouts[step.result], self._plan.starts[step.result]
        if layout.padded:
            yield f"    for (i = 0; i < {layout.floats}; i++)"
            yield f"        values[{start} + i] = 0.0f;"

    def _call(self, step: Step) -> list[str]:
        result = f"values + {self._plan.starts[step.result]}"
        sources = [f"values + {self._plan.starts[source]}" for source in step.sources]
        if isinstance(step, Convolution):
            return [*self._parted(step), self._convolved(step, sources, result)]
        number, layout = step.result, self._plan.layouts[step.sources[0]]
        to = self._plan.layouts[number]
        if isinstance(step, Linear):
            arrays = ", ".join(f"{name}_{number}" for name in ("weights", "biases", "steps", "counts"))
            return [f"connect({sources[0]}, {step.size[0]}, {int(step.activate)}, {arrays}, {result});"]
        if isinstance(step, Pooling):
            window = f"{layout.plane}, {layout.row}, {_comma(step.window)}, {_comma(step.stride)}"
            target = f"{result} + {to.begin}, {_comma(step.size[1:])}, {to.plane}, {to.row}"
            source = f"{sources[0]} + {layout.begin}, {step.size[0]}"
            return [f"pool({source}, {window}, {int(step.mean)}, {target});"]
        assert isinstance(step, Pointwise), "there are no other steps"
        return self._pointwise(step, " + ".join(self._number(source) for source in step.sources))

    def _parted(self, step: Convolution) -> Iterator[str]:
        """The copy of a source that a convolution with a stride reads."""
        if phases := self._plan.phases.get(step.result):
            source, size = self._plan.layouts[step.sources[0]], self._program.sizes[step.sources[0]]
            given = f"values + {self._start(step.sources[0])}, {_comma(size)}, {source.plane}, {source.row}"
            how = f"{_comma(step.padding)}, {_comma(step.stride)}, phases_{step.result}, {len(phases.used)}"
            target = f"values + {self._plan.phase_starts[step.result]}, {_comma(phases.layout.size[1:])}"
            yield f"part({given}, {how}, {target});"

    def _convolved(self, step: Convolution, sources: Sequence[str], result: str) -> str:
        strided = step.result in self._plan.phases
        source = f"values + {self._plan.phase_starts[step.result]}" if strided else sources[0]
        other = sources[1] if len(sources) > 1 else "0"
        return f"convolve(&convolution_{step.result}, {source}, {result}, {other});"

    def _entry(self, name: str, kind: str, number: str) -> str:
        """A function that takes an image of some kind of numbers."""
        first = self._program.steps[0]
        assert isinstance(first, Pointwise) and first.sources == (IMAGE,), "every program begins so"
        lines = [f"void {name}(const {kind} *image, float *logits)", "{", "    int c, y, x;", "    float v;"]
        if self._plan.layouts[first.result].padded:
            lines.insert(2, "    int i;")
        lines += self._clear(first)
        lines += [f"    {line}" for line in self._pointwise(first, number)]
        return "\n".join([*lines, "    run(logits);", "}"])

    def _pointwise(self, step: Pointwise, number: str) -> list[str]:
        channels, height, width = step.size
        return [
            f"for (c = 0; c < {channels}; c++)",
            f"    for (y = 0; y < {height}; y++)",
            f"        for (x = 0; x < {width}; x++) {{",
            f"            v = {number};",
            *(f"            v = {expression};" for expression in step.expressions),
            f"            {self._number(step.result)} = v;",
            "        }",
        ]

    def _number(self, value: int) -> str:
        """One number of a value, within loops over channels, rows and columns."""
        layout = self._plan.layouts[value]
        return f"values[{self._start(value)} + c * {layout.plane} + y * {layout.row} + x]"

    def _start(self, value: int) -> int:
        """Where the first number of a value lies."""
        return self._plan.starts[value] + self._plan.layouts[value].begin


def _narrow(tables: Mapping[int, Table]) -> dict[int, Table]:
    """The tables with steps of a byte, if that does not take many weights of zero."""
    bytes_only = {number: table.within(MOST["unsigned char"]) for number, table in tables.items()}
    before, after = (sum(len(table.weights) for table in each.values()) for each in (tables, bytes_only))
    return bytes_only if after <= (1 + FILLING) * before else dict(tables)


def _kind(arrays: Iterable[np.ndarray]) -> str:
    """The smallest of C's types that holds all these numbers."""
    greatest = max((int(array.max(initial=0)) for array in arrays), default=0)
    return next(kind for kind, most in MOST.items() if greatest <= most)


def _convolutions(program: Program) -> list[Convolution]:
    return [step for step in program.steps if isinstance(step, Convolution)]


def _sums(step: Convolution, row: int) -> int:
    """How many sums one of its channels has, with what lies between their rows."""
    return (step.summed[1] - 1) * row + step.summed[2] + SLACK


@functools.cache
def _sections() -> dict[str, str]:
    """The library's functions, by what they are for."""
    _, *parts = re.split(r"/\* --- (\w+) --- \*/\n", LIBRARY.read_text())
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))


def _names(classes: Sequence[str]) -> str:
    quoted = ",\n".join(f"    {_quoted(name)}" for name in classes)
    return f"const char *const model_classes[MODEL_CLASSES] = {{\n{quoted},\n}};"


def _quoted(text: str) -> str:
    """A C string of UTF-8, without characters that mean something there."""
    plain = re.compile(rb"[A-Za-z0-9 _.,:;()+-]")
    return (
        '"'
        + "".join(chr(byte) if plain.match(bytes([byte])) else f"\\{byte:03o}" for byte in text.encode())
        + '"'
    )


def _array(kind: str, name: str, values: Iterable[str]) -> str:
    """A constant array; C knows none without elements."""
    elements = list(values) or ["0"]
    lines = _wrapped(", ".join(elements))
    return "\n".join([f"static const {kind} {name}[{len(elements)}] = {{", *lines, "};"])


def _wrapped(text: str) -> list[str]:
    """Lines that are broken behind commas and blanks; faster than `textwrap`, which matters here."""
    lines, line = [], ""
    for word in text.split(" "):
        if len(line) + len(word) >= COLUMNS:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    return [*lines, line]


def _comma(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
