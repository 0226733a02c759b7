"""Orthogonal arrays: any two columns contain every pair of levels exactly once. No I/O."""

import functools
import itertools
from collections import Counter
from typing import TypeAlias

Table: TypeAlias = list[list[int]]
Element: TypeAlias = tuple[int, ...]  # coefficients of a polynomial, lowest power first


def prime_powers(number: int) -> dict[int, int]:
    """Factor a number of at least 2: prime to exponent."""
    exponents: Counter[int] = Counter()
    prime = 2
    while number > 1:
        if number % prime:
            prime += 1
        else:
            number //= prime
            exponents[prime] += 1
    return exponents


def max_columns(levels: int) -> int:
    """Return how many columns `orthogonal_array` can have: MacNeish's bound plus two."""
    return min(int(prime**exponent) for prime, exponent in prime_powers(levels).items()) + 1


def orthogonal_array(levels: int, columns: int) -> list[tuple[int, ...]]:
    """Return levels ** 2 rows of `columns` columns, at most `max_columns(levels)`.

    Columns 0 and 1 are the row and column of a square; column i + 2 is the i-th of a set of
    mutually orthogonal Latin squares, from a finite field for each prime power, multiplied
    (MacNeish, Ann. Math. 23, 1922).
    """
    fields = [_field(*power) for power in prime_powers(levels).items()]
    digits = list(itertools.product(*(range(len(add)) for add, _ in fields)))
    index = {digit: number for number, digit in enumerate(digits)}

    def entry(square: int, row: int, column: int) -> int:
        pairs = zip(fields, digits[row], digits[column], strict=True)
        return index[tuple(add[multiply[square][a]][b] for (add, multiply), a, b in pairs)]

    return [
        (row, column, *(entry(square, row, column) for square in range(1, columns - 1)))[:columns]
        for row, column in itertools.product(range(levels), repeat=2)
    ]


@functools.cache
def _field(prime: int, exponent: int) -> tuple[Table, Table]:
    """Return the addition and multiplication tables of the field of prime ** exponent elements."""
    elements = list(itertools.product(range(prime), repeat=exponent))
    index = {element: number for number, element in enumerate(elements)}
    add = [
        [index[tuple((x + y) % prime for x, y in zip(a, b, strict=True))] for b in elements]
        for a in elements
    ]
    others = elements[1:]
    for modulus in elements:  # it is irreducible if no product of other elements is 0
        if all(any(_multiply(a, b, modulus, prime)) for a in others for b in others):
            break
    multiply = [[index[_multiply(a, b, modulus, prime)] for b in elements] for a in elements]
    return add, multiply


def _multiply(a: Element, b: Element, modulus: Element, prime: int) -> Element:
    """Multiply two polynomials; `modulus` is monic, given without its leading coefficient 1."""
    size = len(a)
    product = [0] * (2 * size - 1)
    for (i, x), (j, y) in itertools.product(enumerate(a), enumerate(b)):
        product[i + j] += x * y
    for power in range(2 * size - 2, size - 1, -1):
        for i, coefficient in enumerate(modulus):
            product[power - size + i] -= product[power] * coefficient
    return tuple(coefficient % prime for coefficient in product[:size])
