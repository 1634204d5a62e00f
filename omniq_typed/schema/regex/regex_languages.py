"""The texts in which a regular expression is found, as a language."""

from __future__ import annotations

from collections.abc import Iterator

from omniq_typed.schema.regex.characters import CharSet
from omniq_typed.schema.regex.languages import Language, Languages
from omniq_typed.schema.regex.regex_parser import Choice, Edge, Look, Node, Repeated, Sequence

_MOST_LOOKS = 8
"""What is repeated and looks ahead is repeated so often at the most."""


def mentioned(tree: Node) -> Iterator[str]:
    """The characters that an alphabet needs to tell each set of the tree from the others."""
    match tree:
        case CharSet():
            yield from tree.mentioned()
        case Sequence(parts) | Choice(parts):
            for each in parts:
                yield from mentioned(each)
        case Repeated(part) | Look(part):
            yield from mentioned(part)
        case Edge():
            return


def searched(languages: Languages, tree: Node) -> Language:
    """The texts in which a regex is found somewhere."""
    anything = languages.anything
    return languages.then(anything, _followed(languages, tree, anything))


def _followed(languages: Languages, tree: Node, rest: Language) -> Language:
    """The texts of a tree with the rest behind them; the rest is what a lookahead sees."""
    match tree:
        case CharSet():
            chars = enumerate(languages.alphabet)
            mask = sum(1 << at for at, char in chars if char in tree)
            return languages.then(languages.char(mask), rest)
        case Edge(at):
            return languages.then(languages.start if at == "start" else languages.end, rest)
        case Sequence(parts):
            for each in reversed(parts):
                rest = _followed(languages, each, rest)
            return rest
        case Choice(parts) if _has_look(tree):
            return languages.any_of(_followed(languages, each, rest) for each in parts)
        case Choice(parts):
            each_alone = [_followed(languages, each, languages.empty) for each in parts]
            return languages.then(languages.any_of(each_alone), rest)
        case Repeated(part, least, most) if _has_look(part):
            return _unrolled(languages, part, least, most, rest)
        case Repeated(part, least, most):
            once = _followed(languages, part, languages.empty)
            return languages.then(languages.repeat(once, least, most), rest)
        case Look(part, negated):
            seen = _followed(languages, part, languages.anything)
            return languages.all_of([languages.other_than(seen) if negated else seen, rest])


def _has_look(tree: Node) -> bool:
    match tree:
        case Look():
            return True
        case Sequence(parts) | Choice(parts):
            return any(_has_look(each) for each in parts)
        case Repeated(part):
            return _has_look(part)
        case _:
            return False


def is_exact(tree: Node) -> bool:
    """Whether the alphabet stands for all characters, and nothing was left out."""
    match tree:
        case CharSet():
            return tree.is_listed
        case Sequence(parts) | Choice(parts):
            return all(is_exact(each) for each in parts)
        case Repeated(part, least, most):
            is_cut = _has_look(part) and (most is None or most > least + _MOST_LOOKS)
            return is_exact(part) and not is_cut
        case Look(part):
            return is_exact(part)
        case Edge():
            return True


def _unrolled(
    languages: Languages, part: Node, least: int, most: int | None, rest: Language
) -> Language:
    """Time after time, as each lookahead sees all that follows; not for ever."""
    limit = least + _MOST_LOOKS if most is None else min(most, least + _MOST_LOOKS)
    found = rest
    for time in range(limit, 0, -1):
        found = _followed(languages, part, found)
        if time > least:
            found = languages.any_of([found, rest])
    return found
