// Goes the whole way from the link to an installed App in Chromium, with JavaScript off, and looks
// at every page on a phone and a desktop, light and dark: pictures, and what a person would trip
// over (a line too wide, a small target, a field without a label, faint text).

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";

const { LINK, APP, PORT, SCRIPT, GANDER, GANDER_PAGES_MODULES, GANDER_PAGES_PICTURES } = process.env;
const require = createRequire(path.join(GANDER_PAGES_MODULES, "package.json"));
const { chromium } = require("playwright-core");

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };
const complaints = [];

// Runs in the page.
function trippedOver() {
  const found = [];
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) found.push(`${wide}px too wide`);
  if (!document.documentElement.lang) found.push("no language");
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  if (document.querySelector("script")) found.push("a script");
  for (const field of document.querySelectorAll("input:not([type=hidden])")) {
    if (!field.labels.length) found.push(`no label: ${field.name}`);
  }
  for (const target of document.querySelectorAll("button, .button, input:not([type=hidden])")) {
    const { height } = target.getBoundingClientRect();
    if (height < 44) found.push(`${height}px high: ${target.textContent || target.name}`);
  }
  const numbers = (color) => color.match(/[\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = numbers(color).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  for (const element of document.querySelectorAll("body *")) {
    const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!says || !element.getClientRects().length) continue;
    const [one, other] = [light(getComputedStyle(element).color), light(behind(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) found.push(`contrast ${contrast.toFixed(1)}: ${element.textContent.trim().slice(0, 40)}`);
  }
  return found;
}

async function look(page, name) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      const found = await page.evaluate(trippedOver);
      complaints.push(...found.map((what) => `${name}, ${size}, ${colorScheme}: ${what}`));
      const file = path.join(GANDER_PAGES_PICTURES, `${name}-${size}-${colorScheme}.png`);
      await page.screenshot({ path: file, fullPage: true });
    }
  }
  await page.setViewportSize(SIZES.phone);
}

// Waits: the page that a key or a click asks for comes when it comes.
async function expectTitle(page, wanted) {
  try {
    await page.getByRole("heading", { level: 1, name: wanted, exact: true }).waitFor();
  } catch {
    throw new Error(`expected ${wanted}, got: ${await page.textContent("body")}`);
  }
}

function serve() {
  const process = spawn(GANDER, ["serve", "--config", path.join(APP, "gander-server.toml")], {
    env: { PATH: globalThis.process.env.PATH, HOME: APP, GANDER_LISTEN: `127.0.0.1:${PORT}`, GANDER_MODEL_SCRIPT: SCRIPT },
    stdio: ["ignore", "ignore", "pipe"],
  });
  return new Promise((resolve, reject) => {
    let log = "";
    process.stderr.on("data", (data) => {
      log += data;
      if (log.includes("GitHub knows this App")) resolve(process);
    });
    process.on("exit", () => reject(new Error(log)));
  });
}

async function commit(page, file) {
  await page.getByRole("link", { name: file }).click();
  await page.getByRole("button", { name: "Commit changes" }).click();
  await expectTitle(page, file);
}

async function walk(page) {
  await page.goto(LINK);
  await expectTitle(page, "Make your own GitHub App");
  await look(page, "1-plan");
  await page.getByLabel("Organisation").fill("no/such");
  await page.getByLabel("Address of this server").fill(`http://127.0.0.1:${PORT}`);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("alert").waitFor();
  await look(page, "2-refused");
  await page.getByLabel("Organisation").fill("");
  await page.getByLabel("Name of the App").fill("Honk");
  await page.keyboard.press("Enter");
  await expectTitle(page, "Create “Honk”");
  await look(page, "3-create");
  await page.getByRole("button", { name: "Continue on GitHub" }).click();
  await expectTitle(page, "Create GitHub App");
  await page.getByRole("button", { name: "Create GitHub App" }).click();
  await expectTitle(page, "“Honk” is yours");
  await look(page, "4-done");
  const server = await serve();
  try {
    await page.getByRole("link", { name: "Install on GitHub" }).click();
    await page.getByLabel("mona/stats").check();
    await page.getByRole("button", { name: "Install" }).click();
    await expectTitle(page, "Gander is installed");
    await look(page, "5-installed");
    await page.getByLabel("Repository").fill("mona/stats");
    await page.getByRole("button", { name: "Show the links" }).click();
    await look(page, "6-files");
    const files = page.url();
    await commit(page, ".github/gander.toml");
    await page.goto(files);
    await commit(page, ".github/workflows/gander-test.yml");
    await page.goto(new URL("/created?code=a&state=b", LINK).href);
    await page.goto(new URL("/nowhere", LINK).href);
    await look(page, "7-message");
    await page.goto(new URL("/", LINK).href);
    await page.getByRole("button", { name: "Finish the setup" }).click();
    await expectTitle(page, "All set");
    await look(page, "8-finished");
  } finally {
    server.removeAllListeners("exit");
    server.kill();
  }
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: SIZES.phone });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  page.on("console", (line) => {
    if (line.text().includes("Content Security Policy")) complaints.push(line.text());
  });
  await walk(page);
} finally {
  await browser.close();
}
if (complaints.length) {
  console.error(complaints.join("\n"));
  process.exitCode = 1;
}
