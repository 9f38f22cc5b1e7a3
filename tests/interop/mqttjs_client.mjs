// The scenarios of the interop tests with MQTT.js: `node mqttjs_client.mjs SCENARIO URL VERSION`.
//
// URL is mqtt, mqtts, ws or wss; with TLS, INTEROP_CA names the file of the authority. VERSION is 3.1, 3.1.1 or 5.0.
// Exit code 0: the broker did as the standard says. 1: a line on standard output tells what it did instead, and the
// packets of all clients follow. MQTT.js is found through INTEROP_NODE_MODULES.

import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.INTEROP_NODE_MODULES}/`);
const mqtt = require("mqtt");

const DEADLINE_MS = 10_000;
const [scenarioName, url, version] = process.argv.slice(2);
const ca = process.env.INTEROP_CA && readFileSync(process.env.INTEROP_CA);
const isV5 = version === "5.0";
const run = `${process.pid.toString(16)}-${randomBytes(3).toString("hex")}`;
const topicOf = (rest) => `interop/${run}/${rest}`;
const started = performance.now();
const trace = [];
const peers = [];

// What arrives, in order; `next` waits for it until the deadline.
class Arrivals {
  waiting = [];
  arrived = [];

  put(item) {
    const taker = this.waiting.shift();
    if (taker) taker(item);
    else this.arrived.push(item);
  }

  next(what) {
    if (this.arrived.length > 0) return Promise.resolve(this.arrived.shift());
    return withDeadline(new Promise((resolve) => this.waiting.push(resolve)), what);
  }
}

function withDeadline(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${DEADLINE_MS / 1000} s`)), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A packet on one line: its fields, without long payloads.
function describe(packet) {
  const short = (key, value) => {
    if (value?.type !== "Buffer") return value;
    const bytes = Buffer.from(value.data);
    return bytes.length > 40 ? `(${bytes.length} bytes)` : bytes.toString();
  };
  return JSON.stringify(packet, short);
}

// A client with one network connection.
class Peer {
  messages = new Arrivals();
  disconnects = new Arrivals();

  constructor(name, { clean = true, will } = {}) {
    this.name = name;
    const properties = isV5 && !clean ? { sessionExpiryInterval: 600 } : undefined;
    this.client = mqtt.connect(url, {
      ca,
      protocolVersion: { "3.1": 3, "3.1.1": 4, "5.0": 5 }[version],
      protocolId: version === "3.1" ? "MQIsdp" : "MQTT",
      clientId: `${run}-${name}`,
      clean,
      will,
      properties,
      reconnectPeriod: 0,
      resubscribe: false,
      connectTimeout: DEADLINE_MS,
    });
    const note = (line) => trace.push(`${((performance.now() - started) / 1000).toFixed(3)} ${name}: ${line}`);
    this.client.on("packetsend", (packet) => note(`sent ${describe(packet)}`));
    this.client.on("packetreceive", (packet) => note(`received ${describe(packet)}`));
    this.client.on("error", (error) => note(`error ${error.message}`));
    this.client.on("close", () => note("closed"));
    this.client.on("message", (_topic, _payload, packet) => this.messages.put(packet));
    this.client.on("disconnect", (packet) => this.disconnects.put(packet));
    peers.push(this);
  }

  // Waits for CONNACK. `sessionPresent`: what it must say; 3.1 has no such flag.
  async connected(sessionPresent) {
    const connack = await withDeadline(
      new Promise((resolve, reject) => {
        this.client.once("connect", resolve);
        this.client.once("error", reject);
        this.client.once("close", () => reject(new Error("closed before CONNACK")));
      }),
      `CONNACK for ${this.name}`,
    );
    if (sessionPresent !== undefined && version !== "3.1") {
      assert.equal(connack.sessionPresent, sessionPresent, `${this.name}: session present in CONNACK`);
    }
    return this;
  }

  // Subscribes; every filter must be granted as asked.
  async subscribe(qosByFilter) {
    const asked = Object.fromEntries(Object.entries(qosByFilter).map(([filter, qos]) => [filter, { qos }]));
    const granted = await withDeadline(this.client.subscribeAsync(asked), `SUBACK for ${this.name}`);
    const seen = Object.fromEntries(granted.map(({ topic, qos }) => [topic, qos]));
    assert.deepEqual(seen, qosByFilter, `${this.name}: granted QoS`);
    return this;
  }

  unsubscribe(...filters) {
    return withDeadline(this.client.unsubscribeAsync(filters), `UNSUBACK for ${this.name}`);
  }

  // Publishes and waits for the end of the exchange.
  publish(topic, payload, qos = 0, retain = false) {
    const sent = this.client.publishAsync(topic, payload, { qos, retain });
    return withDeadline(sent, `acknowledgement of QoS ${qos} to ${topic}`);
  }

  // The next message, which must be this one.
  async receive(topic, payload, qos, retain = false) {
    const packet = await this.messages.next(`message on ${topic} for ${this.name}`);
    assert.equal(packet.topic, topic, `${this.name}: topic of the next message`);
    assert.equal(packet.payload.length, Buffer.from(payload).length, `${this.name}: length of the payload on ${topic}`);
    assert.ok(packet.payload.equals(Buffer.from(payload)), `${this.name}: payload on ${topic} is ${packet.payload}`);
    assert.equal(packet.qos, qos, `${this.name}: QoS on ${topic}`);
    assert.equal(packet.retain, retain, `${this.name}: RETAIN on ${topic}`);
    return packet;
  }

  // Proves that no message waits for this client: a marker that it sends itself is what arrives next.
  async nothingMore() {
    const marker = `interop-marker/${run}/${this.name}`;
    await this.subscribe({ [marker]: 1 });
    await this.publish(marker, "marker", 1);
    await this.receive(marker, "marker", 1);
    await this.unsubscribe(marker);
    return this;
  }

  disconnect() {
    return withDeadline(this.client.endAsync(), `end of ${this.name}`);
  }

  // Ends the connection without DISCONNECT, as a lost network does.
  drop() {
    const closed = new Promise((resolve) => this.client.once("close", resolve));
    this.client.stream.destroy();
    return withDeadline(closed, `end of ${this.name}`);
  }
}

const connect = (name, ways, sessionPresent) => new Peer(name, ways).connected(sessionPresent);

const qos = (level) => async () => {
  const topic = topicOf("messages");
  const subscriber = await (await connect("sub", {}, false)).subscribe({ [topic]: level });
  const publisher = await connect("pub");
  const payloads = ["text", "", Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))];
  for (let n = 0; n < 13; n += 1) payloads.push(`number ${n}`);
  // All at once, so that many exchanges are open; no more than a broker with a Receive Maximum of 20 takes, for MQTT.js
  // does not heed it.
  await Promise.all(payloads.map((payload) => publisher.publish(topic, payload, level)));
  for (const payload of payloads) {
    const packet = await subscriber.receive(topic, payload, level);
    assert.equal(packet.dup, false, "DUP of a first delivery");
  }
  const lower = await (await connect("lower")).subscribe({ [topic]: 0 });
  await publisher.publish(topic, "lowered", level);
  await lower.receive(topic, "lowered", 0);
  await subscriber.receive(topic, "lowered", level);
  await subscriber.nothingMore();
};

async function retained() {
  const topic = topicOf("retained/state");
  const publisher = await connect("pub");
  const live = await (await connect("live")).subscribe({ [topic]: 1 });
  await publisher.publish(topic, "old", 1, true);
  await publisher.publish(topic, "new", 1, true);
  await live.receive(topic, "old", 1, false);
  await live.receive(topic, "new", 1, false);
  const late = await (await connect("late")).subscribe({ [topicOf("retained/#")]: 2 });
  await late.receive(topic, "new", 1, true);
  await publisher.publish(topic, "", 1, true);
  await live.receive(topic, "", 1, false);
  await late.receive(topic, "", 1, false);
  await (await (await connect("after")).subscribe({ [topic]: 1 })).nothingMore();
}

async function will() {
  const [lost, kept, polite] = [topicOf("will/lost"), topicOf("will/kept"), topicOf("will/polite")];
  const observer = await (await connect("obs")).subscribe({ [topicOf("will/+")]: 2 });
  await (await connect("lost", { will: { topic: lost, payload: Buffer.from("lost"), qos: 2, retain: false } })).drop();
  await observer.receive(lost, "lost", 2);
  await (await connect("kept", { will: { topic: kept, payload: Buffer.from("kept"), qos: 1, retain: true } })).drop();
  await observer.receive(kept, "kept", 1, false);
  const late = await (await connect("late")).subscribe({ [kept]: 1 });
  await late.receive(kept, "kept", 1, true);
  await late.publish(kept, "", 1, true);
  await observer.receive(kept, "", 1);
  const graceful = { will: { topic: polite, payload: Buffer.from("never"), qos: 1, retain: false } };
  await (await connect("polite", graceful)).disconnect();
  await observer.nothingMore();
}

async function resumedSession() {
  const topic = topicOf("away");
  const before = await connect("sub", { clean: false }, false);
  await before.subscribe({ [topic]: 2 });
  await before.disconnect();
  const publisher = await connect("pub");
  const sent = Array.from({ length: 20 }, (_, n) => [`message ${n}`, 1 + (n % 2)]);
  for (const [payload, level] of sent) await publisher.publish(topic, payload, level);
  const after = await connect("sub", { clean: false }, true);
  const arrived = [];
  for (const _ of sent) arrived.push(await after.messages.next("message sent while away"));
  // Order holds within a QoS level only: MQTT.js hands a QoS 2 message over when its exchange ends.
  for (const level of [1, 2]) {
    const got = arrived.filter((packet) => packet.qos === level).map((packet) => packet.payload.toString());
    const wanted = sent.filter(([, sentLevel]) => sentLevel === level).map(([payload]) => payload);
    assert.deepEqual(got, wanted, `QoS ${level} messages`);
  }
  await after.nothingMore();
  await publisher.publish(topic, "still subscribed", 1);
  await after.receive(topic, "still subscribed", 1);
}

async function largeMessage() {
  const topic = topicOf("large");
  const payload = Buffer.from(Array.from({ length: 200_000 }, (_, n) => (n * 7) % 251));
  const subscriber = await (await connect("sub")).subscribe({ [topic]: 2 });
  const publisher = await connect("pub");
  for (const level of [0, 1, 2]) {
    await publisher.publish(topic, payload, level);
    await subscriber.receive(topic, payload, level);
  }
}

async function wildcards() {
  const matches = {
    "a/+/c": ["a/b/c", "a//c"],
    "a/#": ["a", "a/b", "a/b/c", "a//c", "a/b/c/d"],
    "+/+": ["a/b", "x/y"],
    "a/+": ["a/b"],
  };
  const topics = ["a", "a/b", "a/b/c", "a//c", "a/b/c/d", "x/y", "A/b/C"];
  const publisher = await connect("pub");
  const subscribers = [];
  for (const [filter, expected] of Object.entries(matches)) {
    const subscriber = await connect(`s${subscribers.length}`);
    subscribers.push([await subscriber.subscribe({ [topicOf(filter)]: 1 }), expected]);
  }
  for (const topic of topics) await publisher.publish(topicOf(topic), topic, 1);
  for (const [subscriber, expected] of subscribers) {
    for (const topic of expected) await subscriber.receive(topicOf(topic), topic, 1);
    await subscriber.nothingMore();
  }
}

async function unsubscribe() {
  const [gone, kept] = [topicOf("gone"), topicOf("kept")];
  const subscriber = await (await connect("sub")).subscribe({ [gone]: 1, [kept]: 2 });
  const publisher = await connect("pub");
  await publisher.publish(gone, "before", 1);
  await subscriber.receive(gone, "before", 1);
  await subscriber.unsubscribe(gone);
  await publisher.publish(gone, "after", 1);
  await publisher.publish(kept, "other", 2);
  await subscriber.receive(kept, "other", 2);
  await subscriber.nothingMore();
}

async function cleanSession() {
  const topic = topicOf("dropped");
  const publisher = await connect("pub");
  const first = await connect("sub", { clean: false }, false);
  await first.subscribe({ [topic]: 1 });
  await first.disconnect();
  await publisher.publish(topic, "dropped with the session", 1);
  await (await (await connect("sub", {}, false)).nothingMore()).disconnect();
  await (await connect("sub", { clean: false }, false)).nothingMore();
}

async function takeover() {
  const topic = topicOf("taken");
  const first = await connect("same", { clean: false }, false);
  await first.subscribe({ [topic]: 1 });
  const closed = new Promise((resolve) => first.client.once("close", resolve));
  const second = await connect("same", { clean: false }, true);
  await withDeadline(closed, "end of the first connection");
  // A reason is not required, but if one is given it must be the right one. [MQTT-3.1.4-3]
  for (const packet of first.disconnects.arrived) assert.equal(packet.reasonCode, 0x8e, "reason code of DISCONNECT");
  await (await connect("pub")).publish(topic, "to the second", 1);
  await second.receive(topic, "to the second", 1);
}

// One message to many clients, and many clients to one.
async function manyClients() {
  const [out, back] = [topicOf("out"), topicOf("back")];
  const centre = await (await connect("centre")).subscribe({ [back]: 1 });
  const names = Array.from({ length: 100 }, (_, n) => `c${n}`);
  const clients = await Promise.all(names.map(async (name) => (await connect(name)).subscribe({ [out]: 1 })));
  await centre.publish(out, "to all", 1);
  await Promise.all(clients.map((client) => client.receive(out, "to all", 1)));
  await Promise.all(clients.map((client) => client.publish(back, client.name, 1)));
  const arrived = [];
  for (const _ of names) arrived.push((await centre.messages.next("message to the centre")).payload.toString());
  assert.deepEqual(arrived.sort(), [...names].sort(), "messages to the centre");
  await centre.nothingMore();
}

// 5.0: everything that a publisher says about a message arrives with it.
async function properties() {
  const topic = topicOf("properties");
  const given = {
    payloadFormatIndicator: true,
    contentType: "text/plain",
    responseTopic: topicOf("answers"),
    correlationData: Buffer.from([0, 1, 2, 255]),
    userProperties: { name: "value", twice: ["one", "two"] },
  };
  const subscriber = await connect("sub");
  const options = { qos: 1, properties: { subscriptionIdentifier: 129 } };
  await withDeadline(subscriber.client.subscribeAsync(topic, options), "SUBACK");
  const publisher = await connect("pub");
  await withDeadline(publisher.client.publishAsync(topic, "text", { qos: 1, properties: given }), "PUBACK");
  const packet = await subscriber.receive(topic, "text", 1);
  // MQTT.js reads one Subscription Identifier as a number.
  const { subscriptionIdentifier, ...seen } = packet.properties;
  assert.equal(subscriptionIdentifier, 129, "Subscription Identifier");
  assert.deepEqual({ ...seen, userProperties: { ...seen.userProperties } }, given, "properties of the message");
}

const scenarios = {
  qos0: qos(0),
  qos1: qos(1),
  qos2: qos(2),
  retained,
  will,
  resumed_session: resumedSession,
  large_message: largeMessage,
  wildcards,
  unsubscribe,
  clean_session: cleanSession,
  takeover,
  many_clients: manyClients,
  properties,
};

try {
  await scenarios[scenarioName]();
} catch (error) {
  const isCheck = error.code === "ERR_ASSERTION";
  const about = isCheck ? `: expected ${describe(error.expected)}, got ${describe(error.actual)}` : "";
  console.log(`FAILED MQTT.js ${version} ${scenarioName}: ${error.message.split("\n")[0]}${about}`);
  console.log(trace.join("\n"));
  process.exitCode = 1;
}
for (const peer of peers) peer.client.end(true);
if (!process.exitCode) console.log(`passed MQTT.js ${version} ${scenarioName}`);
