#!/bin/sh
# tree-sitter 0.25.2: asking a node for its parent costs as much as the node is deep.
#
# Looked at: 2026-11-29, py-tree-sitter 0.25.2, tree-sitter-javascript 0.25.0, CPython 3.11, Linux
#            x86_64; the same holds for `Node::parent` of the Rust crate.
# Expected:  a syntax tree knows its parents, so `node.parent` takes the same time anywhere, and
#            climbing from a leaf to the root takes time in proportion to the depth.
# Happens:   nodes hold no link upwards. Each `parent` is looked for from the root down, so the
#            climb takes the square of the depth: eight times as deep, some seventy times as long.
#            A cursor, which remembers its way, takes some eight to fifteen times as long.
# Way out:   walk down once and hand along what stands around a node. Gander's reader of syntax asks
#            for no parent (`src/verify/cheat/reader.rs`); before, texts with deep nesting, which
#            anybody may hand in, took it up to two minutes.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet tree-sitter==0.25.2 tree-sitter-javascript==0.25.0
cat >"$work/climb.py" <<'PY'
import time

import tree_sitter_javascript
from tree_sitter import Language, Parser

parser = Parser(Language(tree_sitter_javascript.language()))


def cursor_at_leaf(root):
    cursor = root.walk()
    while cursor.goto_first_child():
        if cursor.node.type == "(":
            cursor.goto_next_sibling()
    return cursor


def by_parent(cursor):
    node = cursor.node
    while node.parent is not None:
        node = node.parent


def by_cursor(cursor):
    while cursor.goto_parent():
        pass


def seconds(depth, climb):
    tree = parser.parse(b"(" * depth + b"1" + b")" * depth)
    best = None
    for _ in range(5):
        cursor = cursor_at_leaf(tree.root_node)
        begin = time.perf_counter()
        climb(cursor)
        took = time.perf_counter() - begin
        best = took if best is None else min(best, took)
    return best


times = {}
for name, climb in (("parent", by_parent), ("cursor", by_cursor)):
    times[name] = seconds(1600, climb) / seconds(200, climb)
    print(f"{name}: eight times as deep takes {times[name]:.0f} times as long")
if not (times["parent"] > 30 and times["parent"] > 3 * times["cursor"]):
    raise SystemExit("changed: parents are found otherwise")
print("as described")
PY
"$work/env/bin/python" "$work/climb.py"
