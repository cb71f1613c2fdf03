"""Vector code for kernels: tiles of matrix products whose sums stay in registers, and rows in whole vectors.

The compiler cannot keep a block of sums in vector registers over a loop whose arrays might overlap, so the block is
spelt out for it: a tile of sums takes one rank-1 product per row of the factors and touches memory once, at its end.
Every sum runs over the rows in their order, so its value depends neither on the shape of the tiles nor on threads.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from mfx.solver.jit import kernel

# Sums must fit into the registers: 32 of 512 bits with AVX-512, 16 of 256 bits with AVX2.
_AVX512 = "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2]
LANES = 16 if _AVX512 else 8
"""Float32 numbers in one vector; widths of buffers are multiples of it."""
STRIP = 8 if _AVX512 else 4
"""Rows of the tiles of square products."""
_CACHE_LINE = 16
"""Float32 numbers in 64 bytes."""


class _Vectors:
    """Writes loads, stores and arithmetic on vectors of `LANES` numbers into a function under construction."""

    def __init__(self, context: Any, builder: Any, signature: Any) -> None:
        self.context, self.builder, self.signature = context, builder, signature
        self.type = ir.VectorType(ir.FloatType(), LANES)

    def array(self, place: int, value: Any) -> tuple[Any, Any]:
        """Return the data and the width of the array that is argument number `place`."""
        made = self.context.make_array(self.signature.args[place])(self.context, self.builder, value)
        return made.data, cgutils.unpack_tuple(self.builder, made.shape)[1]

    def check(self, place: int, value: Any, *spans: tuple[Any, Any] | None) -> None:
        """Raise an IndexError, where numba checks bounds, unless spans (start, length) lie inside of an array's axes.

        `place` is the array's place among the arguments; a span that is None is not looked at.
        """
        if not self.context.enable_boundscheck:
            return
        made = self.context.make_array(self.signature.args[place])(self.context, self.builder, value)
        for axis, (span, size) in enumerate(zip(spans, cgutils.unpack_tuple(self.builder, made.shape), strict=True)):
            if span is None:
                continue
            start, length = span
            if isinstance(length, int):
                length = ir.Constant(start.type, length)
            ends = self.builder.add(size, ir.Constant(size.type, 1))
            for end in (start, self.builder.add(start, length)):
                cgutils.do_boundscheck(self.context, self.builder, end, ends, axis)

    def address(self, base: Any, width: Any, line: Any, place: Any, offset: int = 0) -> Any:
        """Return the address of ``base[line, place + offset]``."""
        column = self.builder.add(place, ir.Constant(place.type, offset))
        return self.builder.gep(base, [self.builder.add(self.builder.mul(line, width), column)])

    def load(self, pointer: Any) -> Any:
        """Load a vector."""
        value = self.builder.load(self.builder.bitcast(pointer, self.type.as_pointer()))
        value.align = 4
        return value

    def store(self, value: Any, pointer: Any) -> None:
        """Store a vector."""
        self.builder.store(value, self.builder.bitcast(pointer, self.type.as_pointer())).align = 4

    def spread(self, number: Any) -> Any:
        """Return a vector with `number` in all places."""
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        first = ir.Constant(ir.IntType(32), 0)
        single = self.builder.insert_element(ir.Constant(self.type, ir.Undefined), number, first)
        return self.builder.shuffle_vector(single, single, zeros)

    def multiply_add(self, a: Any, b: Any, total: Any) -> Any:
        """Return ``a * b + total``, rounded once where the machine can."""
        product = self.builder.fmul(a, b, flags=["contract"])
        return self.builder.fadd(total, product, flags=["contract"])

    def products(
        self, left: tuple[Any, Any], right: tuple[Any, Any], count: Any, row: Any, column: Any, rows: int, columns: int
    ) -> list[list[Any]]:
        """Sum up a tile of ``left.T @ right``, in the order of their rows; return the places of its vectors."""
        zero = ir.Constant(self.type, None)
        sums = [[cgutils.alloca_once_value(self.builder, zero) for _ in range(columns)] for _ in range(rows)]
        with cgutils.for_range(self.builder, count) as loop:
            b = [self.load(self.address(*right, loop.index, column, LANES * j)) for j in range(columns)]
            for i in range(rows):
                a = self.spread(self.builder.load(self.address(*left, loop.index, row, i)))
                for j in range(columns):
                    self.builder.store(self.multiply_add(a, b[j], self.builder.load(sums[i][j])), sums[i][j])
        return sums


def make_tile(rows: int, columns: int) -> Any:
    """Make ``add_tile(scale, left, right, count, row, column, out)``, which works in registers.

    It adds ``scale * left[:count, row:row + rows].T @ right[:count, column:column + columns * LANES]`` to the tile of
    `out` at (row, column). All arrays are float32 and C-contiguous.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scale, left, right, count, row, column, out = arguments
        vectors = _Vectors(context, builder, signature)
        across, all_rows = (column, columns * LANES), (ir.Constant(count.type, 0), count)
        vectors.check(1, left, all_rows, (row, rows))
        vectors.check(2, right, all_rows, across)
        vectors.check(6, out, (row, rows), across)
        sums = vectors.products(vectors.array(1, left), vectors.array(2, right), count, row, column, rows, columns)
        out_data, out_width = vectors.array(6, out)
        factor = vectors.spread(scale)
        for i in range(rows):
            line = builder.add(row, ir.Constant(row.type, i))
            for j in range(columns):
                pointer = vectors.address(out_data, out_width, line, column, LANES * j)
                vectors.store(vectors.multiply_add(factor, builder.load(sums[i][j]), vectors.load(pointer)), pointer)
        return context.get_dummy_value()

    def add_tile(typing: Any, scale: Any, left: Any, right: Any, count: Any, row: Any, column: Any, out: Any) -> Any:
        index = types.intp
        return types.void(types.float32, left, right, index, index, index, out), generate

    return intrinsic(add_tile)


def make_score_tile(rows: int, columns: int) -> Any:
    """Make ``score_tile(left, right, count, row, column, least, out, above)``, which works in registers.

    It sets ``out[:rows, column:column + columns * LANES]`` to the product of `make_tile`, and ``above[r, tile]``, tile
    being the number of this tile in its row, to whether a score of row r is above ``least[r]``. `least` is float32 of
    shape (1, rows), `above` is uint8.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right, count, row, column, least, out, above = arguments
        vectors = _Vectors(context, builder, signature)
        start = ir.Constant(count.type, 0)
        tile = builder.udiv(column, ir.Constant(column.type, LANES * columns))
        vectors.check(0, left, (start, count), (row, rows))
        vectors.check(1, right, (start, count), (column, columns * LANES))
        vectors.check(5, least, (start, 1), (start, rows))
        vectors.check(6, out, (start, rows), (column, columns * LANES))
        vectors.check(7, above, (start, rows), (tile, 1))
        sums = vectors.products(vectors.array(0, left), vectors.array(1, right), count, row, column, rows, columns)
        (least_data, _), (out_data, out_width) = vectors.array(5, least), vectors.array(6, out)
        above_data, above_width = vectors.array(7, above)
        for i in range(rows):
            line = ir.Constant(row.type, i)
            bound = vectors.spread(builder.load(builder.gep(least_data, [line])))
            found = ir.Constant(ir.VectorType(ir.IntType(1), LANES), None)
            for j in range(columns):
                score = builder.load(sums[i][j])
                vectors.store(score, vectors.address(out_data, out_width, line, column, LANES * j))
                found = builder.or_(found, builder.fcmp_ordered(">", score, bound))
            bits = builder.bitcast(found, ir.IntType(LANES))
            any_bit = builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))
            pointer = vectors.address(above_data, above_width, line, tile)
            builder.store(builder.zext(any_bit, ir.IntType(8)), pointer)
        return context.get_dummy_value()

    def score_tile(
        typing: Any, left: Any, right: Any, count: Any, row: Any, column: Any, least: Any, out: Any, above: Any
    ) -> Any:
        index = types.intp
        return types.void(left, right, index, index, index, least, out, above), generate

    return intrinsic(score_tile)


def _make_row(add: bool) -> Any:
    """Make ``row(factor, source, source_row, target, target_row, column)``; see `add_row` and `set_row` below."""

    def row(typing: Any, factor: Any, source: Any, source_row: Any, target: Any, target_row: Any, column: Any) -> Any:
        index = types.intp
        return types.void(types.float32, source, index, target, index, index), _row_code(add)

    return intrinsic(row)


def _prefetch_row(typing: Any, table: Any, row: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = _Vectors(context, builder, signature)
        vectors.check(0, arguments[0], (arguments[1], 1), None)
        data, width = vectors.array(0, arguments[0])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        prefetch = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, number, number, number]), "llvm.prefetch.p0i8"
        )
        with cgutils.for_range_slice(
            builder, ir.Constant(width.type, 0), width, ir.Constant(width.type, _CACHE_LINE), inc=True
        ) as (place, _):
            pointer = builder.bitcast(vectors.address(data, width, arguments[1], place), byte)
            builder.call(prefetch, [pointer, number(0), number(3), number(1)])  # for reading, often, data
        return context.get_dummy_value()

    return types.void(table, types.intp), generate


def _row_code(add: bool) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        factor, source, source_row, target, target_row, column = arguments
        vectors = _Vectors(context, builder, signature)
        (source_data, width), (target_data, _) = vectors.array(1, source), vectors.array(3, target)
        rest = (column, builder.sub(width, column))
        vectors.check(1, source, (source_row, 1), rest)
        vectors.check(3, target, (target_row, 1), rest)
        spread = vectors.spread(factor)
        lanes = ir.Constant(column.type, LANES)
        with cgutils.for_range_slice(builder, column, width, lanes, inc=True) as (place, _):
            pointer = vectors.address(target_data, width, target_row, place)
            value = vectors.load(vectors.address(source_data, width, source_row, place))
            old = vectors.load(pointer) if add else ir.Constant(vectors.type, None)
            vectors.store(vectors.multiply_add(spread, value, old), pointer)
        return context.get_dummy_value()

    return generate


add_row = _make_row(add=True)
"""Add ``factor * source[source_row, column:]`` to ``target[target_row, column:]``; float32 arrays of one width."""
set_row = _make_row(add=False)
"""Set ``target[target_row, column:]`` to ``factor * source[source_row, column:]``; float32 arrays of one width."""
prefetch_row: Any = intrinsic(_prefetch_row)
"""``prefetch_row(table, row)`` asks for a row of a float32 table to be brought into the first-level cache."""


@kernel()
def width_of(size: int) -> int:
    """Return the width of a buffer for `size` columns: the next multiple of `LANES`, at least one."""
    return max(1, (size + LANES - 1) // LANES) * LANES
