"""One paho-mqtt client as the scenarios want it: every call waits for its answer and fails after a deadline.

Not a client library: what is refused or does not come ends the scenario with a message and the packets so far.
"""

import os
import queue
import secrets
import time
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

DEADLINE_S = 10.0
VERSIONS = {"3.1": paho.MQTTv31, "3.1.1": paho.MQTTv311, "5.0": paho.MQTTv5}
FOR_EVER = 0xFFFFFFFF


class Failure(Exception):
    """What the broker did against the standard, in a sentence."""


def check(holds, what):
    if not holds:
        raise Failure(what)


def expect(seen, wanted, what):
    check(seen == wanted, f"{what}: expected {wanted!r}, got {seen!r}")


def properties(packet_type, **values):
    """Properties of a packet by their names in paho, as in `properties("publish", ResponseTopic="a")`."""
    made = Properties(getattr(PacketTypes, packet_type.upper()))
    for name, value in values.items():
        setattr(made, name, value)
    return made


class World:
    """Where the broker is, which version is spoken, and names that no other run uses."""

    def __init__(self, url, version):
        self.url, self.version = urlsplit(url), version
        self.is_v5 = version == "5.0"
        # Client identifiers of 3.1 have at most 23 bytes.
        self.run = f"{os.getpid():x}-{secrets.token_hex(3)}"
        self.trace = []
        self.started = time.monotonic()
        self.peers = []

    def topic(self, rest):
        return f"interop/{self.run}/{rest}"

    def peer(self, name, **ways):
        peer = Peer(self, name, **ways)
        self.peers.append(peer)
        return peer

    def note(self, name, line):
        self.trace.append(f"{time.monotonic() - self.started:7.3f} {name}: {line}")

    def end(self):
        for peer in self.peers:
            peer.end()


class Peer:
    """A client with one network connection. Each message and each acknowledgement stands in a queue until asked for."""

    def __init__(
        self,
        world,
        name,
        clean=True,
        session_expiry=None,
        manual_ack=False,
        client_id=None,
        keep_alive=30,
        connect=None,
    ):
        """`session_expiry` and `keep_alive` are in seconds; not clean and without expiry means for ever. `connect` are
        more properties."""
        self.world, self.name, self.clean, self.keep_alive = world, name, clean, keep_alive
        self.connect_properties = dict(connect or {})
        if session_expiry is None and not clean:
            session_expiry = FOR_EVER
        if session_expiry is not None:
            self.connect_properties["SessionExpiryInterval"] = session_expiry
        self.connacks, self.subacks, self.unsubacks = queue.Queue(), queue.Queue(), queue.Queue()
        self.messages, self.disconnects, self.pings = queue.Queue(), queue.Queue(), queue.Queue()
        arguments = {} if world.is_v5 else {"clean_session": clean}
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{world.run}-{name}" if client_id is None else client_id,
            protocol=VERSIONS[world.version],
            transport="websockets" if world.url.scheme in ("ws", "wss") else "tcp",
            reconnect_on_failure=False,
            manual_ack=manual_ack,
            **arguments,
        )
        if world.url.path:
            self.client.ws_set_options(path=world.url.path)
        if world.url.scheme in ("mqtts", "wss"):
            self.client.tls_set(ca_certs=os.environ["INTEROP_CA"])
        self.client.on_connect = lambda _c, _u, flags, reason, props: self.connacks.put((flags, reason, props))
        self.client.on_subscribe = lambda _c, _u, mid, reasons, _p: self.subacks.put((mid, reasons))
        self.client.on_unsubscribe = lambda _c, _u, mid, reasons, _p: self.unsubacks.put((mid, reasons))
        self.client.on_message = lambda _c, _u, message: self.messages.put(message)
        self.client.on_disconnect = lambda _c, _u, _flags, reason, _p: self.disconnects.put(reason)
        self.client.on_log = lambda _c, _u, _level, line: self._on_log(line)
        self.connack_properties = None

    def _on_log(self, line):
        self.world.note(self.name, line)
        if line == "Received PINGRESP":
            self.pings.put(line)

    def _next(self, waiting, what):
        try:
            return waiting.get(timeout=DEADLINE_S)
        except queue.Empty:
            ended = "" if self.client.is_connected() else "; the connection has ended"
            raise Failure(f"{self.name}: no {what} within {DEADLINE_S:g} s{ended}") from None

    def will(self, topic, payload, qos=0, retain=False, **values):
        self.client.will_set(topic, payload, qos, retain, properties("willmessage", **values) if values else None)
        return self

    def connect(self, session_present=None):
        """Connects. `session_present`: what CONNACK must say; 3.1 has no such flag."""
        arguments = {}
        if self.world.is_v5:
            arguments = {
                "clean_start": self.clean,
                "properties": properties("connect", **self.connect_properties),
            }
        url = self.world.url
        self.client.connect(url.hostname, url.port, self.keep_alive, **arguments)
        return self._await_connack(session_present)

    def reconnect(self):
        """Connects again as the same client, which goes on with its open exchanges; the session must be there."""
        self.clean = False
        self.client.reconnect()
        return self._await_connack(True)

    def _await_connack(self, session_present):
        self.client.loop_start()
        flags, reason, self.connack_properties = self._next(self.connacks, "CONNACK")
        check(not reason.is_failure, f"{self.name}: CONNECT refused: {reason}")
        if session_present is not None and self.world.version != "3.1":
            expect(flags.session_present, session_present, f"{self.name}: session present in CONNACK")
        return self

    def subscribe(self, *filters, **values):
        """Subscribes to `(filter, qos or SubscribeOptions)` pairs; every one must be granted as asked."""
        granted = self.try_subscribe(*filters, **values)
        asked = [ask if isinstance(ask, int) else ask.QoS for _, ask in filters]
        expect([reason.value for reason in granted], asked, f"{self.name}: reason codes of SUBACK")
        return self

    def try_subscribe(self, *filters, **values):
        given = properties("subscribe", **values) if values else None
        if self.world.is_v5:
            asked = [(name, ask if not isinstance(ask, int) else paho.SubscribeOptions(ask)) for name, ask in filters]
        else:
            asked = list(filters)
        result, mid = self.client.subscribe(asked, properties=given)
        expect(result, paho.MQTT_ERR_SUCCESS, f"{self.name}: sending SUBSCRIBE")
        acknowledged, reasons = self._next(self.subacks, "SUBACK")
        expect(acknowledged, mid, f"{self.name}: packet identifier of SUBACK")
        return reasons

    def unsubscribe(self, *filters):
        result, mid = self.client.unsubscribe(list(filters))
        expect(result, paho.MQTT_ERR_SUCCESS, f"{self.name}: sending UNSUBSCRIBE")
        acknowledged, reasons = self._next(self.unsubacks, "UNSUBACK")
        expect(acknowledged, mid, f"{self.name}: packet identifier of UNSUBACK")
        return [reason.value for reason in reasons]

    def publish(self, topic, payload, qos=0, retain=False, **values):
        """Publishes and waits for the end of the exchange: PUBACK, PUBCOMP, or for QoS 0 that it is written."""
        self.published(self.begin_publish(topic, payload, qos, retain, **values), topic)
        return self

    def begin_publish(self, topic, payload, qos, retain=False, **values):
        """Publishes; the result is for `published`."""
        given = properties("publish", **values) if values else None
        return self.client.publish(topic, payload, qos, retain, given)

    def published(self, sent, topic):
        """Waits for the end of the exchange."""
        sent.wait_for_publish(DEADLINE_S)
        check(sent.is_published(), f"{self.name}: PUBLISH to {topic} not acknowledged")

    def answered_ping(self):
        """Waits for a PINGRESP; paho sends PINGREQ when the keep alive asks for it."""
        self._next(self.pings, "PINGRESP")
        return self

    def next_message(self, topic="any topic"):
        return self._next(self.messages, f"message on {topic}")

    def acknowledge(self, message):
        """Sends PUBACK for a message of a client with `manual_ack`."""
        expect(self.client.ack(message.mid, message.qos), paho.MQTT_ERR_SUCCESS, f"{self.name}: sending PUBACK")

    def receive(self, topic, payload, qos, retain=False, dup=None):
        """The next message, which must be this one. `dup` is not looked at unless given."""
        message = self.next_message(topic)
        payload = payload.encode() if isinstance(payload, str) else payload
        expect(message.topic, topic, f"{self.name}: topic of the next message")
        if len(payload) > 100:
            expect(len(message.payload), len(payload), f"{self.name}: length of the payload on {topic}")
            check(message.payload == payload, f"{self.name}: payload on {topic} differs")
        else:
            expect(message.payload, payload, f"{self.name}: payload on {topic}")
        expect(message.qos, qos, f"{self.name}: QoS of {payload[:40]!r} on {topic}")
        expect(message.retain, retain, f"{self.name}: RETAIN of {payload[:40]!r} on {topic}")
        if dup is not None:
            expect(message.dup, dup, f"{self.name}: DUP of {payload[:40]!r} on {topic}")
        return message

    def nothing_more(self):
        """Proves that no message waits for this client: a marker that it sends itself is what arrives next."""
        marker = f"interop-marker/{self.world.run}/{self.name}"
        self.subscribe((marker, 1))
        self.publish(marker, "marker", 1)
        self.receive(marker, "marker", 1)
        self.unsubscribe(marker)
        return self

    def disconnect(self, **values):
        """Ends the connection with DISCONNECT and waits until the broker has closed it: it has read all then."""
        arguments = {"properties": properties("disconnect", **values)} if values else {}
        # paho closes its socket at once; a second handle keeps the connection to see the broker's end of it.
        with self.client.socket().dup() as connection:
            connection.settimeout(DEADLINE_S)
            self.client.disconnect(**arguments)
            self.wait_disconnected()
            try:
                while connection.recv(4096):
                    pass
            except TimeoutError:
                raise Failure(f"{self.name}: not closed within {DEADLINE_S:g} s after DISCONNECT") from None
            except ConnectionResetError:
                # Closed with something unread by paho: closed all the same.
                pass
        return self

    def disconnect_at_once(self):
        """Ends the connection with DISCONNECT and does not wait for the broker."""
        self.client.disconnect()
        return self.wait_disconnected()

    def drop(self):
        """Ends the connection without DISCONNECT, as a lost network does."""
        socket = self.client.socket()
        check(socket is not None, f"{self.name}: the broker had closed the connection")
        socket.shutdown(2)
        return self.wait_disconnected()

    def wait_disconnected(self):
        self._next(self.disconnects, "end of the connection")
        self.client.loop_stop()
        return self

    def end(self):
        if self.client.is_connected():
            self.client.disconnect()
        self.client.loop_stop()
