// Sends rounds of events with @segment/analytics-next in a real Chromium, from a page of another origin than Foretide's: the
// SDK loads its settings from Foretide and finds out by itself where to send. Arguments and output: ../README.md
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import puppeteer from "puppeteer-core";

const [url, writeKey, rounds, pauseMs, bad = ""] = process.argv.slice(2);
const files = {
  "/": [new URL("page.html", import.meta.url), "text/html"],
  "/analytics.js": [new URL("node_modules/@segment/analytics-next/dist/umd/index.js", import.meta.url), "text/javascript"],
};

const shop = createServer(async (request, response) => {
  const found = files[request.url.split("?")[0]];
  response.writeHead(found ? 200 : 404, { "Content-Type": found?.[1] ?? "text/plain" });
  response.end(found && (await readFile(found[0])));
}).listen(0, "127.0.0.1");
await once(shop, "listening");

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  // Without a sandbox: it would not start as root, and it sees nothing but this test's pages.
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
const page = await browser.newPage();
const told = [];
page.on("console", (message) => message.type() === "error" && told.push(message.text()));
page.on("pageerror", (error) => told.push(String(error)));
await page.goto(`http://localhost:${shop.address().port}/?${new URLSearchParams({ url, writeKey, rounds, pauseMs, bad })}`);
const { sent, errors } = await page.evaluate("run()");
await browser.close();
shop.close();
console.log(JSON.stringify({ sent, errors: [...errors, ...told] }));
