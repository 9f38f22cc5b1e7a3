// MQTT.js in a page of headless Chromium: `node chromium_client.mjs SCENARIO VERSION[,VERSION]`.
//
// It prints `page at ORIGIN`, then reads the URL of the broker from standard input. Exit code 0: the broker did as it
// should. 1: a line on standard output tells what it did instead. MQTT.js and playwright-core are found through
// INTEROP_NODE_MODULES; the browser is Debian's.

import { strict as assert } from "node:assert";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const modules = process.env.INTEROP_NODE_MODULES;
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const [scenarioName, versions] = process.argv.slice(2);
const DEADLINE_MS = 15_000;

const page = `<!DOCTYPE html><meta charset="utf-8"><title>MQTT</title><link rel="icon" href="data:,">
<script src="/mqtt.min.js"></script>`;

// Serves the page and MQTT.js on a free port of this machine.
async function serve() {
  const library = await readFile(join(modules, "node_modules/mqtt/dist/mqtt.min.js"));
  const server = createServer((request, response) => {
    const isLibrary = request.url === "/mqtt.min.js";
    response.setHeader("Content-Type", isLibrary ? "text/javascript" : "text/html");
    response.end(isLibrary ? library : page);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

// A browser without a past. It trusts the authority of the tests, which it does not know.
function launch(folder) {
  return chromium.launchPersistentContext(folder, {
    executablePath: "/usr/bin/chromium",
    headless: true,
    ignoreHTTPSErrors: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--ignore-certificate-errors",
    ],
  });
}

// Runs in the page: every QoS in both directions, bytes of every value, and a payload longer than every buffer.
async function messages({ url, version, deadline }) {
  const within = (promise, what) =>
    Promise.race([
      promise,
      new Promise((_, reject) => setTimeout(() => reject(new Error(`no ${what} in time`)), deadline)),
    ]);
  const topic = `page/${Math.random()}`;
  const client = mqtt.connect(url, {
    protocolVersion: version === "5.0" ? 5 : 4,
    reconnectPeriod: 0,
    connectTimeout: deadline,
  });
  const arrived = [];
  let wake = () => {};
  client.on("message", (_topic, payload, packet) => {
    arrived.push({ payload, qos: packet.qos });
    wake();
  });
  await within(
    new Promise((resolve, reject) => {
      client.once("connect", resolve);
      client.once("error", reject);
      client.once("close", () => reject(new Error("closed before CONNACK")));
    }),
    "CONNACK",
  );
  await within(client.subscribeAsync(topic, { qos: 2 }), "SUBACK");
  const payloads = ["text", "", new Uint8Array(256).map((_, at) => at), new Uint8Array(200_000).map((_, at) => at % 251)];
  for (const qos of [0, 1, 2]) {
    for (const payload of payloads) {
      await within(client.publishAsync(topic, payload, { qos }), `end of an exchange of QoS ${qos}`);
      while (arrived.length === 0) await within(new Promise((resolve) => (wake = resolve)), "message");
      const got = arrived.shift();
      const wanted = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
      if (got.qos !== qos) throw new Error(`a message of QoS ${qos} came with QoS ${got.qos}`);
      if (got.payload.length !== wanted.length || !wanted.every((byte, at) => byte === got.payload[at])) {
        throw new Error(`a payload of ${wanted.length} bytes came changed`);
      }
    }
  }
  await within(client.unsubscribeAsync(topic), "UNSUBACK");
  await within(client.endAsync(), "end");
  return arrived.length;
}

// Runs in the page: what becomes of an attempt to connect.
function attempt({ url, deadline }) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, "mqtt");
    setTimeout(() => resolve("nothing in time"), deadline);
    socket.onopen = () => resolve("open");
    socket.onclose = (event) => resolve(`closed ${event.code}`);
  });
}

const scenarios = {
  async messages(tab, url) {
    for (const version of versions.split(",")) {
      const more = await tab.evaluate(messages, { url, version, deadline: DEADLINE_MS });
      assert.equal(more, 0, "messages too many");
    }
  },
  // The page is of an origin that the broker does not allow.
  async foreign_origin(tab, url) {
    const complaints = [];
    tab.on("console", (message) => complaints.push(message.text()));
    assert.equal(await tab.evaluate(attempt, { url, deadline: DEADLINE_MS }), "closed 1006");
    assert.ok(complaints.some((text) => text.includes("403")), `the browser says ${complaints}`);
  },
};

const server = await serve();
const origin = `http://127.0.0.1:${server.address().port}`;
console.log(`page at ${origin}`);
const input = createInterface({ input: process.stdin });
const [url] = await once(input, "line");
input.close();
const folder = await mkdtemp(join(tmpdir(), "sanderling-chromium-"));
let browser;
try {
  browser = await launch(folder);
  const tab = await browser.newPage();
  await tab.goto(`${origin}/`);
  await scenarios[scenarioName](tab, url);
  console.log(`passed Chromium ${scenarioName}`);
} catch (error) {
  console.log(`FAILED Chromium ${scenarioName}: ${error.stack}`);
  process.exitCode = 1;
} finally {
  await browser?.close();
  server.close();
  await rm(folder, { recursive: true, force: true });
}
