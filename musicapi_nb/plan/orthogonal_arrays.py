"""Orthogonal arrays: columns of which any two hold every pair of levels exactly once."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

Table: TypeAlias = list[list[int]]


def prime_powers(number: int) -> list[tuple[int, int]]:
    """Split a number of at least 2 into (prime, exponent) pairs."""
    found = []
    for prime in itertools.count(2):
        exponent = 0
        while number % prime == 0:
            number //= prime
            exponent += 1
        if exponent:
            found.append((prime, exponent))
        if number == 1:
            break
    return found


def widest(levels: int) -> int:
    """How many columns `orthogonal` has for so many levels: MacNeish's bound."""
    return min(_size(power) for power in prime_powers(levels)) + 1


def _size(power: tuple[int, int]) -> int:
    return math.prod([power[0]] * power[1])


def orthogonal(levels: int, columns: int) -> list[tuple[int, ...]]:
    """Return `levels` squared rows; `columns` is at most `widest(levels)`.

    Column 0 is the row and column 1 the column of a square; column i + 2 is the i-th of a set of
    mutually orthogonal Latin squares, made over a field for each prime power and multiplied.
    """
    fields = [_field(prime, exponent) for prime, exponent in prime_powers(levels)]
    sizes = [len(add) for add, _ in fields]
    digits = list(itertools.product(*(range(size) for size in sizes)))
    place = {digit: number for number, digit in enumerate(digits)}

    def entry(factor: int, row: int, column: int) -> int:
        at = zip(fields, digits[row], digits[column], strict=True)
        return place[tuple(add[times[factor][one]][two] for (add, times), one, two in at)]

    return [
        (row, column, *(entry(factor, row, column) for factor in range(1, columns - 1)))[:columns]
        for row, column in itertools.product(range(levels), repeat=2)
    ]


@functools.cache
def _field(prime: int, exponent: int) -> tuple[Table, Table]:
    """Tables of addition and multiplication of the field with prime ** exponent elements."""
    elements = list(itertools.product(range(prime), repeat=exponent))
    place = {element: number for number, element in enumerate(elements)}
    add = [
        [place[tuple((a + b) % prime for a, b in zip(one, two, strict=True))] for two in elements]
        for one in elements
    ]
    return add, next(_multiplications(prime, elements, place))


def _multiplications(
    prime: int, elements: Sequence[tuple[int, ...]], place: dict[tuple[int, ...], int]
) -> Iterator[Table]:
    """Multiply polynomials modulo each monic one; a field's table has no divisors of zero."""
    for modulus in elements:
        # If the modulus has divisors, one has at most half its degree.
        low = [one for one in elements[1:] if not any(one[len(modulus) // 2 + 1 :])]
        if all(any(_product(a, b, modulus, prime)) for a in low for b in elements[1:]):
            yield [
                [place[_product(one, two, modulus, prime)] for two in elements] for one in elements
            ]


def _product(
    one: Sequence[int], two: Sequence[int], modulus: Sequence[int], prime: int
) -> tuple[int, ...]:
    """Multiply, lowest power first, modulo x ** n plus the modulus."""
    size = len(one)
    wide = [0] * (2 * size - 1)
    for (at, a), (by, b) in itertools.product(enumerate(one), enumerate(two)):
        wide[at + by] += a * b
    for top in range(2 * size - 2, size - 1, -1):
        for at, part in enumerate(modulus):
            wide[top - size + at] -= wide[top] * part
    return tuple(part % prime for part in wide[:size])
