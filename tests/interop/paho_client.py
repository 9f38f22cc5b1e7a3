"""The scenarios of the interop tests with paho-mqtt: `paho_client.py SCENARIO URL VERSION`.

URL is mqtt, mqtts, ws or wss; with TLS, INTEROP_CA names the authority. VERSION is 3.1, 3.1.1 or 5.0. Exit code 0: the broker did as the standard says. 1: a line on standard output tells what
it did instead, and the packets of all clients follow.
"""

import sys

from paho_peer import World, expect
from paho_v5 import SCENARIOS_V5


def qos(level):
    """A message of each payload kind at one QoS level: text, empty, every byte."""

    def scenario(world):
        topic = world.topic("messages")
        subscriber = world.peer("sub").connect(session_present=False).subscribe((topic, level))
        publisher = world.peer("pub").connect()
        payloads = [b"text", b"", bytes(range(256))] + [f"number {n}".encode() for n in range(20)]
        for payload in payloads:
            publisher.publish(topic, payload, level)
        for payload in payloads:
            subscriber.receive(topic, payload, level, dup=False)
        # The lower of both levels counts.
        lower = world.peer("lower").connect().subscribe((topic, 0))
        publisher.publish(topic, "lowered", level)
        lower.receive(topic, "lowered", 0)
        subscriber.receive(topic, "lowered", level)
        subscriber.nothing_more()

    return scenario


def retained(world):
    topic = world.topic("retained/state")
    publisher = world.peer("pub").connect()
    live = world.peer("live").connect().subscribe((topic, 1))
    publisher.publish(topic, "old", 1, retain=True)
    publisher.publish(topic, "new", 1, retain=True)
    live.receive(topic, "old", 1, retain=False)
    live.receive(topic, "new", 1, retain=False)
    late = world.peer("late").connect().subscribe((world.topic("retained/+"), 1))
    late.receive(topic, "new", 1, retain=True)
    late.nothing_more()
    # An empty retained message clears, and is an ordinary message to whom is there.
    publisher.publish(topic, b"", 1, retain=True)
    live.receive(topic, b"", 1, retain=False)
    late.receive(topic, b"", 1, retain=False)
    world.peer("after").connect().subscribe((topic, 1)).nothing_more()


def will(world):
    topic, kept, graceful = world.topic("will/live"), world.topic("will/kept"), world.topic("will/graceful")
    observer = world.peer("obs").connect().subscribe((world.topic("will/+"), 2))
    world.peer("lost").will(topic, "lost", qos=2).connect().drop()
    observer.receive(topic, "lost", 2)
    world.peer("kept").will(kept, "kept", qos=1, retain=True).connect().drop()
    observer.receive(kept, "kept", 1, retain=False)
    late = world.peer("late").connect().subscribe((kept, 1))
    late.receive(kept, "kept", 1, retain=True)
    late.publish(kept, b"", 1, retain=True)
    observer.receive(kept, b"", 1)
    world.peer("polite").will(graceful, "never", qos=1).connect().disconnect()
    observer.nothing_more()


def resumed_session(world):
    topic = world.topic("away")
    subscriber = world.peer("sub", clean=False).connect(session_present=False).subscribe((topic, 2))
    subscriber.disconnect()
    publisher = world.peer("pub").connect()
    sent = [(f"message {n}", 1 + n % 2) for n in range(20)]
    for payload, level in sent:
        publisher.publish(topic, payload, level)
    subscriber = world.peer("sub", clean=False).connect(session_present=True)
    # Order holds within a QoS level only: paho hands a QoS 2 message over when its exchange ends.
    arrived = [subscriber.next_message() for _ in sent]
    for level in (1, 2):
        got = [message.payload.decode() for message in arrived if message.qos == level]
        expect(got, [payload for payload, sent_level in sent if sent_level == level], f"QoS {level} messages")
    expect([message for message in arrived if message.dup], [], "messages marked as sent before")
    subscriber.nothing_more()
    publisher.publish(topic, "still subscribed", 1)
    subscriber.receive(topic, "still subscribed", 1)


def redelivery(world):
    """What was received and not acknowledged comes again, marked, on the next connection."""
    topic = world.topic("again")
    subscriber = world.peer("sub", clean=False, manual_ack=True).connect().subscribe((topic, 1))
    publisher = world.peer("pub").connect()
    for payload in ("acknowledged", "lost", "lost too"):
        publisher.publish(topic, payload, 1)
    subscriber.acknowledge(subscriber.receive(topic, "acknowledged", 1, dup=False))
    for payload in ("lost", "lost too"):
        subscriber.receive(topic, payload, 1, dup=False)
    subscriber.disconnect()
    subscriber = world.peer("sub", clean=False).connect(session_present=True)
    for payload in ("lost", "lost too"):
        subscriber.receive(topic, payload, 1, dup=True)
    subscriber.nothing_more()


def large_message(world):
    topic = world.topic("large")
    payload = bytes(n * 7 % 251 for n in range(200_000))
    subscriber = world.peer("sub").connect().subscribe((topic, 2))
    publisher = world.peer("pub").connect()
    for level in (0, 1, 2):
        publisher.publish(topic, payload, level)
    for level in (0, 1, 2):
        subscriber.receive(topic, payload, level)


def wildcards(world):
    matches = {
        "a/+/c": ["a/b/c", "a//c"],
        "a/#": ["a", "a/b", "a/b/c", "a//c", "a/b/c/d"],
        "+/+": ["a/b", "x/y"],
        "a/+": ["a/b"],
    }
    topics = ["a", "a/b", "a/b/c", "a//c", "a/b/c/d", "x/y", "A/b/C"]
    publisher = world.peer("pub").connect()
    subscribers = [
        (world.peer(f"s{n}").connect().subscribe((world.topic(name), 1)), expected)
        for n, (name, expected) in enumerate(matches.items())
    ]
    for topic in topics:
        publisher.publish(world.topic(topic), topic, 1)
    for subscriber, expected in subscribers:
        for topic in topics:
            if topic in expected:
                subscriber.receive(world.topic(topic), topic, 1)
        subscriber.nothing_more()
    # A leading wildcard does not reach topics that begin with $. [MQTT-4.7.2-1]
    everything = world.peer("all").connect().subscribe(("+/interop/" + world.run, 1))
    publisher.publish("$private/interop/" + world.run, "hidden", 1)
    everything.nothing_more()


def unsubscribe(world):
    gone, kept = world.topic("gone"), world.topic("kept")
    subscriber = world.peer("sub").connect().subscribe((gone, 1), (kept, 2))
    publisher = world.peer("pub").connect()
    publisher.publish(gone, "before", 1)
    subscriber.receive(gone, "before", 1)
    reasons = subscriber.unsubscribe(gone, world.topic("never subscribed"))
    if world.is_v5:
        expect(reasons, [0x00, 0x11], "reason codes of UNSUBACK")
    publisher.publish(gone, "after", 1)
    publisher.publish(kept, "other", 2)
    subscriber.receive(kept, "other", 2)
    subscriber.nothing_more()


def clean_session(world):
    """A clean session ends with its connection, and a clean connection drops the session that was there."""
    topic = world.topic("dropped")
    publisher = world.peer("pub").connect()
    world.peer("short").connect(session_present=False).subscribe((topic, 1)).disconnect()
    publisher.publish(topic, "to nobody", 1)
    world.peer("short", clean=False).connect(session_present=False).nothing_more()
    world.peer("sub", clean=False).connect(session_present=False).subscribe((topic, 1)).disconnect()
    publisher.publish(topic, "dropped with the session", 1)
    world.peer("sub").connect(session_present=False).nothing_more().disconnect()
    world.peer("sub", clean=False).connect(session_present=False).nothing_more()


def takeover(world):
    """A second connection with the same client identifier ends the first and goes on with its session."""
    topic = world.topic("taken")
    first = world.peer("same", clean=False).connect(session_present=False).subscribe((topic, 1))
    second = world.peer("same", clean=False).connect(session_present=True)
    first.wait_disconnected()
    world.peer("pub").connect().publish(topic, "to the second", 1)
    second.receive(topic, "to the second", 1)


def graceful_reconnect(world):
    """A client that disconnects and is back at once is not taken over: its DISCONNECT came first, so no will."""
    topic = world.topic("never")
    observer = world.peer("obs").connect().subscribe((topic, 1))
    for _ in range(50):
        world.peer("same", clean=False).will(topic, "lost", qos=1).connect().disconnect_at_once()
    observer.nothing_more()


def burst(world):
    """Many messages at once, with as many open exchanges as the client allows itself: all arrive, in order."""
    topic = world.topic("burst")
    subscriber = world.peer("sub").connect().subscribe((topic, 2))
    publisher = world.peer("pub").connect()
    for level in (0, 1, 2):
        # Fewer than the shortest queue that a broker may have by default for messages of QoS 0.
        payloads = [f"{level} {number}" for number in range(500)]
        sent = [publisher.begin_publish(topic, payload, level) for payload in payloads]
        for payload in payloads:
            subscriber.receive(topic, payload, level)
        for exchange in sent:
            publisher.published(exchange, topic)


def exactly_once(losers):
    """Clients that lose their connections with exchanges open, and go on with them: each message comes once."""

    def scenario(world):
        topic = world.topic("once")
        peers = {name: world.peer(name, clean=False).connect() for name in ("sub", "pub")}
        subscriber, publisher = peers["sub"].subscribe((topic, 2)), peers["pub"]
        payloads = [f"{number:02}" for number in range(80)]
        sent = []
        for payload in payloads:
            sent.append(publisher.begin_publish(topic, payload, 2))
            if len(sent) % 10 == 0:
                for name in losers:
                    peers[name].drop().reconnect()
        for exchange in sent:
            publisher.published(exchange, topic)
        # In any order: paho hands a message over when its exchange ends, and the lost connections mix those up.
        arrived = sorted(subscriber.next_message().payload.decode() for _ in sent)
        expect(arrived, payloads, "messages that arrived")
        subscriber.nothing_more()

    return scenario


def ping(world):
    """An idle client with a short keep alive stays connected, because its pings are answered."""
    # Two pings take longer than the six seconds after which the broker gives up.
    idle = world.peer("idle", keep_alive=4).connect()
    topic = world.topic("after pings")
    idle.answered_ping().answered_ping().subscribe((topic, 1))
    world.peer("pub").connect().publish(topic, "still there", 1)
    idle.receive(topic, "still there", 1)


SCENARIOS = {
    "qos0": qos(0),
    "qos1": qos(1),
    "qos2": qos(2),
    "retained": retained,
    "will": will,
    "resumed_session": resumed_session,
    "redelivery": redelivery,
    "large_message": large_message,
    "wildcards": wildcards,
    "unsubscribe": unsubscribe,
    "clean_session": clean_session,
    "takeover": takeover,
    "graceful_reconnect": graceful_reconnect,
    "burst": burst,
    "lossy_publisher": exactly_once(["pub"]),
    "lossy_subscriber": exactly_once(["sub"]),
    "ping": ping,
}


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: paho_client.py SCENARIO URL VERSION")
    name, url, version = sys.argv[1:]
    scenario = SCENARIOS.get(name) or SCENARIOS_V5[name]
    world = World(url, version)
    try:
        scenario(world)
    except Exception as failure:  # noqa: BLE001 whatever went wrong is the result of the scenario
        print(f"FAILED paho-mqtt {version} {name}: {type(failure).__name__}: {failure}")
        print("\n".join(world.trace), flush=True)
        sys.exit(1)
    finally:
        world.end()
    print(f"passed paho-mqtt {version} {name}")


if __name__ == "__main__":
    main()
