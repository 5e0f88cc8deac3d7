// GitHub's own parser of workflows and actions, as the editors use it: prints what it finds.
import { readFileSync } from "node:fs";
import { validate } from "@actions/languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";

let found = 0;
for (const path of process.argv.slice(2)) {
  const kind = path.endsWith("action.yml") ? "file:///action.yml" : `file:///.github/workflows/${path.split("/").pop()}`;
  const text = readFileSync(path, "utf8");
  const document = TextDocument.create(kind, "yaml", 1, text);
  for (const one of await validate(document, {})) {
    found += 1;
    console.error(`${path}:${one.range.start.line + 1}:${one.range.start.character + 1}: ${one.message}`);
  }
}
process.exitCode = found === 0 ? 0 : 1;
