"""Which faults are put into a module: operators of cosmic-ray, where they change what it does.

Taken are the operators that make a fault a programmer could make: another arithmetic operator of
the same kind, a bound that is in or out, a condition turned round, `and` for `or`, a sign or a
`not` lost, a number one more or less, a loop that does nothing, `break` for `continue`, an
exception that is not caught. Left out are

- the 100 other exchanges of arithmetic operators and the 40 of comparisons: most fail at once on
  floating-point numbers, or are another taken one over again, and would flatter the share;
- `RemoveDecorator` and whatever stands in a decorator: without `njit` the result is the same;
- `VariableReplacer` and `VariableInserter`, which draw their fault by chance;
- annotations, which nothing evaluates, and blocks for the type checker;
- formatted strings, `raise` statements and warnings: what they hold is the text of a message;
- `strict=True` of `zip`, which claims that lengths agree and does nothing where they do.

Augmented assignments (`total += x`) are not mutated by cosmic-ray as such; their right sides are.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.provider import OperatorProvider

ARITHMETIC = (
    ("Add", "Sub"), ("Sub", "Add"), ("Mul", "Div"), ("Div", "Mul"), ("FloorDiv", "Mul"),
    ("Mod", "FloorDiv"), ("Pow", "Mul"), ("RShift", "LShift"), ("LShift", "RShift"),
    ("BitOr", "BitAnd"), ("BitAnd", "BitOr"), ("BitXor", "BitOr"),
)  # fmt: skip
COMPARISONS = (
    ("Lt", "LtE"), ("LtE", "Lt"), ("Gt", "GtE"), ("GtE", "Gt"),
    ("Eq", "NotEq"), ("NotEq", "Eq"), ("Is", "IsNot"), ("IsNot", "Is"),
)  # fmt: skip
OPERATORS = (
    *(f"ReplaceBinaryOperator_{old}_{new}" for old, new in ARITHMETIC),
    *(f"ReplaceComparisonOperator_{old}_{new}" for old, new in COMPARISONS),
    *(f"ReplaceUnaryOperator_Delete_{old}" for old in ("USub", "Not", "Invert")),
    "AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr",
    "ReplaceOrWithAnd", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak",
    "ExceptionReplacer", "NumberReplacer", "ZeroIterationForLoop",
)  # fmt: skip
EXPRESSIONS = {"arith_expr", "term", "power", "shift_expr", "expr", "xor_expr", "and_expr"}
TURNED_ROUND = {"==", "!=", "is", "is not"}  # where `not` before it is the other operator


@dataclass(frozen=True)
class Mutant:
    """One fault, and where it stands.

    Attributes
    ----------
    module : str
        Dotted name.
    file : str
        Path of the unharmed source from the root of the project.
    operator : str
        As cosmic-ray calls it.
    occurrence : int
        Which of the places where the operator could act.
    line : int
        Of the fault, from 1.
    first_line : int
        Of the statement that holds the fault.
    scope : str
        Body of a "function" or "lambda" that holds the fault, or "module".
    """

    module: str
    file: str
    operator: str
    occurrence: int
    line: int
    first_line: int
    scope: str

    def source(self, project: Path) -> str:
        """Text of the module with the fault in it."""
        text = (project / self.file).read_text(encoding="utf-8")
        mutated: str = mutate_code(text, _operator(self.operator), self.occurrence)
        return mutated

    def change(self, project: Path) -> tuple[str, str]:
        """First line that differs, before and after."""
        before = (project / self.file).read_text(encoding="utf-8").splitlines()
        after = self.source(project).splitlines()
        pairs = ((a.strip(), b.strip()) for a, b in zip(before, after, strict=False) if a != b)
        return next(pairs)

    def is_sound(self, project: Path) -> bool:
        """Whether the fault is valid Python that differs from the source."""
        text = (project / self.file).read_text(encoding="utf-8")
        try:
            mutated = ast.parse(self.source(project))
        except (SyntaxError, AttributeError):  # cosmic-ray knows no `except module.Error`
            return False
        return ast.dump(mutated) != ast.dump(ast.parse(text))


def find_mutants(file: Path, module: str, project: Path) -> list[Mutant]:
    """All mutants of a module, in the order of operators and places."""
    nodes = list(ast_nodes(parso.parse(file.read_text(encoding="utf-8"))))
    found = []
    for name in OPERATORS:
        operator, occurrence = _operator(name), 0
        for node in nodes:
            for start, _ in operator.mutation_positions(node):
                place = _place(node, start[0])
                if _matters(node, name):
                    path = file.relative_to(project).as_posix()
                    found.append(Mutant(module, path, name, occurrence, start[0], *place))
                occurrence += 1
    return found


def draw(
    mutants_of: dict[str, list[Mutant]], size: int | None, seed: int, project: Path
) -> list[Mutant]:
    """Draw mutants at random, from each module in proportion to how many it has; all if no size.

    They come in an order that is drawn too, so that what is cut off is a sample as well.
    """
    total = sum(map(len, mutants_of.values()))
    share = 1.0 if size is None else min(1.0, size / max(total, 1))
    drawn = []
    for module, mutants in mutants_of.items():
        shuffled = random.Random(f"{seed} {module}").sample(mutants, len(mutants))
        drawn += _first_sound(shuffled, round(share * len(mutants)), project)
    return random.Random(seed).sample(drawn, len(drawn))


def _first_sound(mutants: Iterable[Mutant], count: int, project: Path) -> Iterator[Mutant]:
    for mutant in mutants:
        if count == 0:
            return
        if mutant.is_sound(project):
            count -= 1
            yield mutant


def _operator(name: str) -> Any:
    return OperatorProvider()[name]()


def _ancestors(node: Any) -> Iterator[Any]:
    while node is not None:
        yield node
        node = node.parent


def _place(node: Any, line: int) -> tuple[int, str]:
    """First line of the statement around a node, and whose body the node is in."""
    statement, scope = None, "module"
    for inner in _ancestors(node):
        outer = inner.parent
        if outer is None:
            break
        if statement is None and outer.type in ("suite", "file_input"):
            statement = inner
        is_body = outer.type in ("funcdef", "lambdef") and inner is outer.children[-1]
        if scope == "module" and is_body:
            scope = "function" if outer.type == "funcdef" else "lambda"
    return (statement.start_pos[0] if statement else line), scope


def _matters(node: Any, operator: str) -> bool:
    """Whether a fault there can change what the program does."""
    if operator.startswith("ReplaceBinaryOperator") and node.parent.type not in EXPRESSIONS:
        return False  # a star among parameters, or before a dictionary
    if operator == "AddNot":
        condition = node.children[2] if node.type == "test" else node.children[1]
        pair = condition.type == "comparison" and len(condition.children) == 3
        if pair and condition.children[1].get_code().strip() in TURNED_ROUND:
            return False
    return not any(_is_silent(inner) for inner in _ancestors(node))


def _is_silent(node: Any) -> bool:
    """Annotations, decorators, messages, claims that lengths agree."""
    parent = node.parent
    if node.type in ("decorator", "fstring", "raise_stmt"):
        return True
    if node.type == "argument" and node.children[0].get_code().strip() == "strict":
        return True
    if node.type in ("power", "atom_expr") and node.get_code().strip().startswith("warnings.warn("):
        return True
    if node.type == "if_stmt" and node.children[1].get_code().strip() == "TYPE_CHECKING":
        return True
    if parent is None:
        return False
    if parent.type == "annassign":
        return node is parent.children[1]
    if parent.type == "tfpdef":
        return node is parent.children[-1]
    return parent.type == "funcdef" and node is parent.annotation
