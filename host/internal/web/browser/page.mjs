// Drives the page in a real Chromium. Arguments: the page's address, an
// address that makes the host do things, and the folder for screenshots.
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [page_, control, shots] = process.argv.slice(2);
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const failures = [];

async function check(name, options, steps) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, ...options });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (e) => errors.push(e.message));
  try {
    await steps(page);
    const broken = await page.evaluate(() => window.broken).catch(() => undefined);
    if (broken) throw new Error("text of a push ran as a script");
    if (errors.length) throw new Error("errors on the page: " + errors.join("; "));
    console.log("ok", name);
  } catch (e) {
    failures.push(name);
    console.log("FAILED", name, e.message);
  }
  await context.close();
}

const tell = (what) => fetch(control + what).then((r) => r.text());
const open = (page, path) => page.goto(page_ + path, { waitUntil: "domcontentloaded" });
const want = (condition, text) => { if (!condition) throw new Error(text); };

await check("a log is live, and whole when opened late", {}, async (page) => {
  await tell("/say?run=2&text=before");
  await open(page, "/r/app/runs/2/test");
  want((await page.locator("#log").innerText()).includes("before"), "what was printed before is missing");
  await page.waitForTimeout(300); // the connection is made
  const began = Date.now();
  await tell("/say?run=2&text=while-looking");
  await page.getByText("while-looking").waitFor();
  console.log("figure printed-line-to-page-ms", Date.now() - began);
  for (let i = 0; i < 8; i++) {
    const t = Date.now();
    await tell("/say?run=2&text=again-" + i);
    await page.waitForFunction((s) => document.getElementById("log").innerText.includes(s), "again-" + i, { polling: 5 });
    console.log("figure printed-line-to-page-ms", Date.now() - t);
  }
});

await check("a page that was open before a run ended shows its end", {}, async (page) => {
  await open(page, "/r/app/runs/2");
  await page.getByRole("heading", { name: /run #2 running/ }).waitFor();
  await page.waitForTimeout(300);
  await tell("/end?run=2&state=passed");
  await page.getByRole("heading", { name: /run #2 passed · 1 passed · queued .* · ran / }).waitFor();
});

await check("works without JavaScript", { javaScriptEnabled: false }, async (page) => {
  await open(page, "/");
  await page.getByRole("link", { name: "app", exact: true }).click();
  await page.getByRole("link", { name: "run #1", exact: true }).click();
  want((await page.locator("h1").innerText()).includes("run #1 failed"), "no headline");
  await page.getByText("too dear").first().waitFor();
  await page.getByRole("link", { name: /^Tests/ }).click();
  want((await page.locator("#L2").count()) === 1, "no second line");
});

await check("hostile text stays text", {}, async (page) => {
  for (const path of ["/", "/r/app", "/r/app/runs/1", "/r/app/runs/1/test", "/r/app/branches/feature/new"]) {
    await open(page, path);
    want((await page.locator("main img").count()) === 0, path + " has an image of a push's");
    want((await page.locator("main a[href^='javascript']").count()) === 0, path + " has a script link");
  }
});

await check("a line can be linked to", {}, async (page) => {
  await open(page, "/r/app/runs/1/test#L2");
  want(await page.evaluate(() => document.querySelector(":target")?.id === "L2"), "the line is not the target");
});

await check("rerun by keyboard alone", {}, async (page) => {
  await open(page, "/r/app/runs/1");
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement?.id === "rerun")) break;
  }
  want(await page.evaluate(() => document.activeElement?.id === "rerun"), "the button is out of the keyboard's reach");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/runs\/3$/);
  await page.getByRole("heading", { name: /run #3 queued/ }).waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("heading", { name: /run #3 cancelled/ }).waitFor();
});

await check("a forged rerun of another site is refused", {}, async (page) => {
  await page.goto(control + "/forged?to=" + encodeURIComponent(page_ + "/r/app/runs/1/rerun"));
  await page.getByRole("button").click();
  await page.waitForLoadState();
  want((await page.content()).includes("cross-origin request"), "it was not refused: " + (await page.content()).slice(0, 300));
});

for (const colorScheme of ["light", "dark"]) {
  for (const [name, path] of [["index", "/"], ["repo", "/r/app"], ["run", "/r/app/runs/1"], ["lane", "/r/app/runs/1/test"], ["branch", "/r/app/branches/feature/new"], ["login", "/login"], ["problem", "/r/none"]]) {
    await check(`${name} can be read by everybody (${colorScheme})`, { colorScheme, bypassCSP: true }, async (page) => {
      await open(page, path);
      await page.addScriptTag({ path: axe });
      const found = await page.evaluate(() => window.axe.run(document));
      await page.screenshot({ path: `${shots}/${name}-${colorScheme}.png` });
      want(found.violations.length === 0, found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120) + " " + (n.any[0]?.message ?? "")).join(" | ")}`).join("\n"));
    });
  }
}

await check("400 pixels are enough", { viewport: { width: 400, height: 800 } }, async (page) => {
  for (const path of ["/", "/r/app", "/r/app/runs/1", "/r/app/runs/1/test", "/r/app/branches/feature/new"]) {
    await open(page, path);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (path === "/r/app/runs/1") await page.screenshot({ path: `${shots}/run-narrow.png` });
    want(over <= 0, `${path} is ${over} pixels too wide`);
  }
});

await browser.close();
process.exit(failures.length ? 1 : 0);
