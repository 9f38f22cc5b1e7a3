"""What only MQTT 5.0 has, with paho-mqtt: properties, reason codes, options of subscriptions."""

import os
import time

from paho.mqtt.subscribeoptions import SubscribeOptions

from paho_peer import check, expect

# A filter that is well formed and that the broker under test refuses: deeper than sanderling takes, unless told.
REFUSED = os.environ.get("INTEROP_REFUSED_FILTER", "/".join(["deep"] * 200))


def refused_subscribe(world):
    """Each filter of a SUBSCRIBE has its own answer; a refusal leaves the others and the connection as they are."""
    first, last = world.topic("first"), world.topic("last")
    subscriber = world.peer("sub").connect()
    codes = [reason.value for reason in subscriber.try_subscribe((first, 1), (REFUSED, 1), (last, 2))]
    # Not authorized, Topic Filter invalid, Quota exceeded; before 5.0 there is one code. [MQTT-3.9.3-2]
    refusals = [0x87, 0x8F, 0x97] if world.is_v5 else [0x80]
    check(codes[1] in refusals, f"second reason code of SUBACK: expected one of {refusals}, got {codes[1]}")
    expect([codes[0], codes[2]], [1, 2], "first and third reason codes of SUBACK")
    world.peer("pub").connect().publish(first, "first", 1).publish(last, "last", 2)
    subscriber.receive(first, "first", 1)
    subscriber.receive(last, "last", 2)
    subscriber.nothing_more()


def session_expiry(world):
    """The end of a session is seen through its will, which a long delay holds back until then. [MQTT-3.1.3-9]"""
    topic, will = world.topic("expiring"), world.topic("expired")
    observer = world.peer("obs").connect().subscribe((will, 1))
    lost = world.peer("sub", clean=False, session_expiry=1)
    lost.will(will, "session ended", qos=1, WillDelayInterval=600).connect().subscribe((topic, 1))
    left = time.monotonic()
    lost.drop()
    observer.receive(will, "session ended", 1)
    # Brokers count whole seconds.
    check(time.monotonic() - left > 0.5, "the session ended before its expiry")
    world.peer("sub", clean=False, session_expiry=0).connect(session_present=False).disconnect()
    # Expiry 0 ends the session with the connection; DISCONNECT may change what CONNECT said.
    world.peer("sub", clean=False, session_expiry=600).connect(session_present=False).disconnect()
    world.peer("sub", clean=False, session_expiry=600).connect(session_present=True)
    world.peers[-1].disconnect(SessionExpiryInterval=0)
    world.peer("sub", clean=False, session_expiry=600).connect(session_present=False).disconnect()


def message_expiry(world):
    topic = world.topic("aging")
    world.peer("sub", clean=False, session_expiry=600).connect().subscribe((topic, 1)).disconnect()
    publisher = world.peer("pub").connect()
    publisher.publish(topic, "dies young", 1, MessageExpiryInterval=1)
    publisher.publish(topic, "lives long", 1, MessageExpiryInterval=100)
    publisher.publish(topic, "lives for ever", 1)
    # That time passes is what this scenario is about: nothing announces the end of a message.
    time.sleep(2.1)
    subscriber = world.peer("sub", clean=False, session_expiry=600).connect(session_present=True)
    aged = subscriber.receive(topic, "lives long", 1)
    left = getattr(aged.properties, "MessageExpiryInterval", None)
    check(left is not None and 80 <= left <= 99, f"remaining Message Expiry Interval: expected 80 to 99, got {left}")
    ageless = subscriber.receive(topic, "lives for ever", 1)
    check(not hasattr(ageless.properties, "MessageExpiryInterval"), "an expiry appeared on a message without one")
    subscriber.nothing_more()


def user_properties(world):
    """User properties arrive as sent: order, repeated names, empty values. So do the other properties of a payload."""
    topic = world.topic("properties")
    subscriber = world.peer("sub").connect().subscribe((topic, 2))
    pairs = [("b", "2"), ("a", "1"), ("b", "3"), ("", ""), ("ключ", "значение")]
    for level in (0, 1, 2):
        world.peer(f"pub{level}").connect().publish(
            topic, "text", level, UserProperty=pairs, ContentType="text/plain", PayloadFormatIndicator=1
        )
        seen = subscriber.receive(topic, "text", level).properties
        expect(getattr(seen, "UserProperty", []), pairs, "User Property")
        expect(getattr(seen, "ContentType", None), "text/plain", "Content Type")
        expect(getattr(seen, "PayloadFormatIndicator", None), 1, "Payload Format Indicator")


def request_response(world):
    ask, answer = world.topic("ask"), world.topic("answer")
    service = world.peer("service").connect().subscribe((ask, 1))
    asker = world.peer("asker").connect().subscribe((answer, 1))
    correlation = bytes(range(0, 256, 3))
    asker.publish(ask, "question", 1, ResponseTopic=answer, CorrelationData=correlation)
    question = service.receive(ask, "question", 1)
    expect(getattr(question.properties, "ResponseTopic", None), answer, "Response Topic")
    expect(getattr(question.properties, "CorrelationData", None), correlation, "Correlation Data")
    service.publish(question.properties.ResponseTopic, "reply", 1, CorrelationData=question.properties.CorrelationData)
    reply = asker.receive(answer, "reply", 1)
    expect(getattr(reply.properties, "CorrelationData", None), correlation, "Correlation Data of the reply")


def retain_handling(world):
    topic = world.topic("handled")
    publisher = world.peer("pub").connect().publish(topic, "kept", 1, retain=True)

    def options(handling, as_published=False):
        return SubscribeOptions(qos=1, retainHandling=handling, retainAsPublished=as_published)

    always = world.peer("always").connect()
    for _ in range(2):
        always.subscribe((topic, options(SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE)))
        always.receive(topic, "kept", 1, retain=True)
    once = world.peer("once").connect().subscribe((topic, options(SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)))
    once.receive(topic, "kept", 1, retain=True)
    once.subscribe((topic, options(SubscribeOptions.RETAIN_SEND_IF_NEW_SUB))).nothing_more()
    never = world.peer("never").connect().subscribe((topic, options(SubscribeOptions.RETAIN_DO_NOT_SEND)))
    never.nothing_more()
    # Retain as published: the flag of a live message stays as its publisher set it.
    as_is = world.peer("as-is").connect().subscribe((topic, options(SubscribeOptions.RETAIN_DO_NOT_SEND, True)))
    publisher.publish(topic, "kept too", 1, retain=True).publish(topic, "passing", 1)
    as_is.receive(topic, "kept too", 1, retain=True)
    as_is.receive(topic, "passing", 1, retain=False)
    never.receive(topic, "kept too", 1, retain=False)
    never.receive(topic, "passing", 1, retain=False)


def subscription_identifiers(world):
    """A message carries the identifiers of the subscriptions it came for, in one copy or one for each."""
    topic = world.topic("identified/a")
    subscriber = world.peer("sub").connect()
    subscriber.subscribe((topic, 1), SubscriptionIdentifier=7)
    subscriber.subscribe((world.topic("identified/+"), 1), SubscriptionIdentifier=268_435_455)
    subscriber.subscribe((world.topic("identified/b"), 1))
    publisher = world.peer("pub").connect().publish(topic, "two", 1)
    seen = []
    while len(seen) < 2:
        message = subscriber.receive(topic, "two", 1)
        arrived = getattr(message.properties, "SubscriptionIdentifier", [])
        check(arrived, "a message without Subscription Identifier")
        seen += arrived
    expect(sorted(seen), [7, 268_435_455], "Subscription Identifiers")
    # Subscribing again replaces the identifier.
    subscriber.subscribe((world.topic("identified/+"), 1), SubscriptionIdentifier=9)
    subscriber.unsubscribe(topic)
    publisher.publish(topic, "one", 1)
    expect(subscriber.receive(topic, "one", 1).properties.SubscriptionIdentifier, [9], "Subscription Identifier")
    subscriber.nothing_more()


def no_local(world):
    topic = world.topic("local")
    quiet = world.peer("quiet").connect().subscribe((topic, SubscribeOptions(qos=1, noLocal=True)))
    other = world.peer("other").connect().subscribe((topic, SubscribeOptions(qos=1, noLocal=False)))
    quiet.publish(topic, "from quiet", 1)
    other.receive(topic, "from quiet", 1)
    quiet.nothing_more()
    other.publish(topic, "from other", 1)
    quiet.receive(topic, "from other", 1)
    other.receive(topic, "from other", 1)


def will_delay(world):
    """A delayed will is held back, and is not published if the client is back in time. [MQTT-3.1.3-9]"""
    topic = world.topic("delayed")
    observer = world.peer("obs").connect().subscribe((topic, 1))
    patient = world.peer("patient", clean=False, session_expiry=600)
    patient.will(topic, "too early", qos=1, WillDelayInterval=600).connect().drop()
    returned = world.peer("patient", clean=False, session_expiry=600).connect(session_present=True)
    observer.nothing_more()
    returned.disconnect()
    hasty = world.peer("hasty", clean=False, session_expiry=600)
    hasty.will(topic, "in time", qos=1, WillDelayInterval=1, UserProperty=[("cause", "lost")]).connect()
    left = time.monotonic()
    hasty.drop()
    message = observer.receive(topic, "in time", 1)
    check(time.monotonic() - left > 0.5, "the will came before its delay")
    expect(getattr(message.properties, "UserProperty", []), [("cause", "lost")], "User Property of the will")


def topic_alias(world):
    """A publisher that names its topic once and then by number, within the limit that CONNACK gives; aliases are not
    passed on to who did not allow them."""
    topics = [world.topic("alias/a"), world.topic("alias/b")]
    subscriber = world.peer("sub").connect().subscribe((world.topic("alias/+"), 1))
    publisher = world.peer("pub").connect()
    allowed = getattr(publisher.connack_properties, "TopicAliasMaximum", 0)
    if allowed < 2:
        # An alias that was not allowed is a protocol error. [MQTT-3.3.2-9]
        publisher.begin_publish(topics[0], "named", 1, TopicAlias=allowed + 1)
        publisher.wait_disconnected()
        subscriber.nothing_more()
        return
    for number, topic in enumerate(topics, start=1):
        publisher.publish(topic, "named", 1, TopicAlias=number)
    for number in (2, 1, 2):
        publisher.publish("", "numbered", 1, TopicAlias=number)
    publisher.publish(topics[1], "moved", 1, TopicAlias=1)
    publisher.publish("", "numbered", 1, TopicAlias=1)
    a, b = topics
    for topic, payload in [(a, "named"), (b, "named"), (b, "numbered"), (a, "numbered"), (b, "numbered"),
                           (b, "moved"), (b, "numbered")]:
        message = subscriber.receive(topic, payload, 1)
        check(not hasattr(message.properties, "TopicAlias"), "a Topic Alias to a client that allows none")


def shared_subscription(world):
    """Each message goes to exactly one member; a plain subscription beside it gets all. Or there are no shared
    subscriptions, which CONNACK and SUBACK tell alike."""
    topic = world.topic("shared")
    first = world.peer("first").connect()
    if getattr(first.connack_properties, "SharedSubscriptionAvailable", 1) == 0:
        codes = [reason.value for reason in first.try_subscribe((f"$share/group/{topic}", 1))]
        expect(codes, [0x9E], "reason code of SUBACK for a shared subscription")
        return
    members = [world.peer(f"member{n}").connect().subscribe((f"$share/group/{topic}", 1)) for n in range(3)]
    plain = world.peer("plain").connect().subscribe((topic, 1))
    publisher = world.peer("pub").connect()
    sent = [f"message {n}".encode() for n in range(30)]
    for payload in sent:
        publisher.publish(topic, payload, 1)
    for payload in sent:
        plain.receive(topic, payload, 1)
    shares = []
    for member in members:
        # What a member got is all there once a marker of its own has come back.
        marker = world.topic(f"end/{member.name}")
        member.subscribe((marker, 1)).publish(marker, "end", 1)
        share = []
        while (message := member.next_message()).topic != marker:
            share.append(message.payload)
        shares.append(share)
    expect(sorted(payload for share in shares for payload in share), sorted(sent), "messages of all members together")
    for share in shares:
        expect(share, [payload for payload in sent if payload in share], "order within a member")


def receive_maximum(world):
    """A client that does not acknowledge gets as many QoS 1 messages as its Receive Maximum, then QoS 0 only."""
    topic = world.topic("window")
    slow = world.peer("slow", manual_ack=True, connect={"ReceiveMaximum": 3}).connect().subscribe((topic, 1))
    publisher = world.peer("pub").connect()
    for number in range(6):
        publisher.publish(topic, f"{number}", 1)
    first = [slow.receive(topic, f"{number}", 1) for number in range(3)]
    marker = world.topic("window-open")
    slow.subscribe((marker, 0))
    publisher.publish(marker, "open", 0)
    slow.receive(marker, "open", 0)
    for message in first:
        slow.acknowledge(message)
    for number in range(3, 6):
        slow.receive(topic, f"{number}", 1)


def assigned_client_id(world):
    """An empty client identifier is replaced by one that works for resuming."""
    topic = world.topic("assigned")
    first = world.peer("first", clean=True, session_expiry=600, client_id="").connect(session_present=False)
    name = getattr(first.connack_properties, "AssignedClientIdentifier", None)
    check(name, "no Assigned Client Identifier in CONNACK")
    first.subscribe((topic, 1)).disconnect()
    world.peer("pub").connect().publish(topic, "kept", 1)
    second = world.peer("second", clean=False, session_expiry=0, client_id=name).connect(session_present=True)
    second.receive(topic, "kept", 1)


SCENARIOS_V5 = {
    scenario.__name__: scenario
    for scenario in (
        refused_subscribe,
        session_expiry,
        message_expiry,
        user_properties,
        request_response,
        retain_handling,
        subscription_identifiers,
        no_local,
        will_delay,
        topic_alias,
        shared_subscription,
        receive_maximum,
        assigned_client_id,
    )
}
