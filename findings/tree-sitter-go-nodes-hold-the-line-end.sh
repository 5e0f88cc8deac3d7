#!/bin/sh
# tree-sitter-go 0.25.0: the list of a block's statements ends after the line, not after its last
# statement.
#
# Looked at: 2026-11-29, tree-sitter-go 0.25.0, py-tree-sitter 0.25.2, CPython 3.11, Linux x86_64.
# Expected:  a node's bytes are what it is made of, so a block with one statement has the text of
#            that statement, and its last row is the row where that stands.
# Happens:   where a line end closes the last statement, as in most code, `statement_list` holds that
#            line end: its text is `x()` and a newline, and its end is on the next row, column 0. In
#            `{ x() }` on one line it does not.
# Way out:   trim the text before it is compared, and take a node's last row from its last child.
#            A rule of Gander's took a test of Go's that does nothing for one that does something.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet tree-sitter==0.25.2 tree-sitter-go==0.25.0
cat >"$work/block.py" <<'PY'
import tree_sitter_go
from tree_sitter import Language, Parser

parser = Parser(Language(tree_sitter_go.language()))


def statements(body):
    root = parser.parse(b"package a\n\nfunc f() " + body + b"\n").root_node
    return root.named_children[-1].child_by_field_name("body").named_children[0]


lines = statements(b"{\n\tx()\n}")
one_line = statements(b"{ x() }")
for what, node in (("on lines of their own", lines), ("on one line", one_line)):
    last = node.named_children[-1]
    print(f"{what}: {node.type} is {node.text!r}, rows {node.start_point.row} to "
          f"{node.end_point.row}; its last statement is {last.text!r}")
as_told = (
    lines.text == b"x()\n"
    and lines.end_point.row == lines.start_point.row + 1
    and lines.named_children[-1].text == b"x()"
    and one_line.text == b"x()"
)
if not as_told:
    raise SystemExit("changed: the line end is no part of the list")
print("as described")
PY
"$work/env/bin/python" "$work/block.py"
