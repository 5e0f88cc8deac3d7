// A Probot app that does as little as it can: `answer` replies before any work, `sqlite` first
// writes a lean row durably. Arguments: mode, port, database. The secret and key come by variable.
import { pino } from "pino";
import { Probot, Server } from "probot";

const [mode, port, database] = process.argv.slice(2);

async function keeper() {
  if (mode !== "sqlite") return () => {};
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(database);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  db.exec(`CREATE TABLE deliveries (
    guid TEXT PRIMARY KEY, event TEXT, action TEXT, repository INTEGER, issue INTEGER, comment TEXT
  )`);
  const insert = db.prepare("INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, ?, ?, ?)");
  return ({ id, name, payload }) => {
    const { action, repository, issue, comment } = payload;
    insert.run(id, name, action, repository.id, issue.number, comment.body);
  };
}

const keep = await keeper();
const log = pino({ level: "fatal" });
const server = new Server({
  log,
  host: "127.0.0.1",
  port: Number(port),
  webhookPath: "/api/github/webhooks",
  Probot: Probot.defaults({
    appId: 1,
    privateKey: process.env.PRIVATE_KEY,
    secret: process.env.WEBHOOK_SECRET,
    log,
  }),
});
await server.load((app) => {
  app.on("issue_comment.created", (context) => keep(context));
});
await server.start();
