"""Gram matrices in registers: the innermost loop of every row solve.

The compiler cannot keep a block of sums in vector registers over a loop whose arrays might overlap, so the block is
spelt out for it: a tile of 4 x 16 sums (eight vectors of eight float32) takes one rank-1 product per gathered row and
touches the Gram matrix once, at its end. Written as plain loops the same sums took 4 to 10 times as long.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from mfx.interfaces import FloatArray
from mfx.solver.jit import kernel

LANES = 8
"""Width of the buffers is a multiple of this: one 256-bit vector of float32, or two of 128 bits."""

_ROWS = 4


def _make_add_tile(vectors: int) -> Any:
    """Make ``add_tile(gathered, count, row, column, gram)`` for a tile of 4 rows and ``8 * vectors`` columns.

    It adds ``gathered[:count, row:row + 4].T @ gathered[:count, column:column + 8 * vectors]`` to the tile of `gram`
    at (row, column). Both arrays are float32 and C-contiguous, of one width.
    """

    def add_tile(typing: Any, gathered: Any, count: Any, row: Any, column: Any, gram: Any) -> Any:
        index = types.intp
        return types.void(gathered, index, index, index, gram), _tile_code(vectors)

    return intrinsic(add_tile)


def _tile_code(vectors: int) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        gathered, count, row, column, gram = arguments
        source = context.make_array(signature.args[0])(context, builder, gathered)
        target = context.make_array(signature.args[4])(context, builder, gram)
        width = cgutils.unpack_tuple(builder, source.shape)[1]
        vector = ir.VectorType(ir.FloatType(), LANES)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)

        def address(base: Any, line: Any, place: Any, offset: int) -> Any:
            flat = builder.add(builder.mul(line, width), builder.add(place, ir.Constant(place.type, offset)))
            return builder.gep(base, [flat])

        def load(pointer: Any) -> Any:
            value = builder.load(builder.bitcast(pointer, vector.as_pointer()))
            value.align = 4
            return value

        def spread(number: Any) -> Any:
            single = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
            return builder.shuffle_vector(single, single, lanes)

        zero = ir.Constant(vector, None)
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(vectors)] for _ in range(_ROWS)]
        with cgutils.for_range(builder, count) as loop:
            right = [load(address(source.data, loop.index, column, LANES * j)) for j in range(vectors)]
            for i in range(_ROWS):
                left = spread(builder.load(address(source.data, loop.index, row, i)))
                for j in range(vectors):
                    product = builder.fmul(left, right[j], flags=["contract"])
                    builder.store(builder.fadd(builder.load(sums[i][j]), product, flags=["contract"]), sums[i][j])
        for i in range(_ROWS):
            for j in range(vectors):
                pointer = address(target.data, builder.add(row, ir.Constant(row.type, i)), column, LANES * j)
                total = builder.fadd(load(pointer), builder.load(sums[i][j]))
                builder.store(total, builder.bitcast(pointer, vector.as_pointer())).align = 4
        return context.get_dummy_value()

    return generate


_add_narrow_tile = _make_add_tile(1)
_add_wide_tile = _make_add_tile(2)


@kernel()
def add_gram(gathered: FloatArray, count: int, size: int, gram: FloatArray) -> None:
    """Add the upper triangle of ``gathered[:count].T @ gathered[:count]`` to `gram`.

    Parameters
    ----------
    gathered : float32 array, shape (rows, width)
        C-contiguous; `width` is a multiple of eight and columns from `size` on are zero.
    count : int
        How many rows to take.
    size : int
        Columns that matter.
    gram : float32 array, shape (width, width)
        C-contiguous. Tiles on the diagonal also fill some places below it.
    """
    width = gram.shape[1]
    for row in range(0, size, 4):
        column = row // 8 * 8
        while column + 16 <= width:
            _add_wide_tile(gathered, count, row, column, gram)
            column += 16
        if column < width:
            _add_narrow_tile(gathered, count, row, column, gram)
