//! Foreign clients against the real `sanderling` process: every client, driver, version and scenario is one test, named
//! so: `mio::paho::v5_0::retained`. What goes over another transport than plain TCP, or through a proxy, is named after
//! that: `mio::transports::paho::wss::qos2`; the certificates are those of `sanderling cert`.
//!
//! ```text
//! tests/interop/install.sh
//! cargo test -p sanderling-tests --features interop --test interop
//! ```
//!
//! - `SANDERLING_INTEROP_BROKER=PATH` names another build of the broker than `target/release/sanderling`, which is
//!   built if it is missing.
//! - `SANDERLING_INTEROP_ADDRESS=HOST:PORT` takes a broker that runs already, whichever it is, for all but `transports`.
//!   That is how the tests themselves are checked: `tests/interop/self_check.sh` runs them against mosquitto.
//!
//! What belongs here is what clients rely on. The finer rules of the standard have their own tests, with a client that
//! can break them.

mod broker;
mod chromium;
mod haproxy;
mod mosquitto;
mod openssl;
mod process;
mod rumqttc_peer;
mod rumqttc_scenarios;
mod rumqttc_v4;
mod rumqttc_v5;
mod schemathesis;
mod scripts;

use broker::Driver;

/// A version of the standard, as the foreign programs are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Version {
    V3_1,
    V3_1_1,
    V5_0,
}

impl Version {
    const fn name(self) -> &'static str {
        match self {
            Self::V3_1 => "3.1",
            Self::V3_1_1 => "3.1.1",
            Self::V5_0 => "5.0",
        }
    }
}

/// One test for each scenario: `$run(DRIVER, version, "scenario")`.
macro_rules! tests {
    ($run:path, $version:ident, $($scenario:ident)*) => {
        $(#[test]
        fn $scenario() {
            $run(super::super::DRIVER, crate::Version::$version, stringify!($scenario));
        })*
    };
}

macro_rules! clients {
    () => {
        mod mosquitto {
            mod v3_1 {
                tests!(crate::mosquitto::run, V3_1, qos0 qos1 qos2 retained will resumed_session
                    large_message wildcards unsubscribe clean_session);
            }
            mod v3_1_1 {
                tests!(crate::mosquitto::run, V3_1_1, qos0 qos1 qos2 retained will resumed_session
                    large_message wildcards unsubscribe clean_session);
            }
            mod v5_0 {
                tests!(crate::mosquitto::run, V5_0, qos0 qos1 qos2 retained will resumed_session
                    large_message wildcards unsubscribe clean_session properties);
            }
        }
        mod paho {
            mod v3_1 {
                tests!(crate::scripts::paho, V3_1, qos0 qos1 qos2 retained will resumed_session
                    redelivery large_message wildcards unsubscribe clean_session takeover
                    graceful_reconnect burst lossy_publisher lossy_subscriber ping);
            }
            mod v3_1_1 {
                tests!(crate::scripts::paho, V3_1_1, qos0 qos1 qos2 retained will resumed_session
                    redelivery large_message wildcards unsubscribe clean_session takeover
                    graceful_reconnect burst lossy_publisher lossy_subscriber ping
                    refused_subscribe);
            }
            mod v5_0 {
                tests!(crate::scripts::paho, V5_0, qos0 qos1 qos2 retained will resumed_session
                    redelivery large_message wildcards unsubscribe clean_session takeover
                    graceful_reconnect burst lossy_publisher lossy_subscriber ping refused_subscribe
                    session_expiry message_expiry user_properties request_response retain_handling
                    subscription_identifiers no_local will_delay topic_alias shared_subscription
                    receive_maximum assigned_client_id);
            }
        }
        mod mqttjs {
            mod v3_1 {
                tests!(crate::scripts::mqttjs, V3_1, qos0 qos1 qos2 retained will resumed_session
                    large_message wildcards unsubscribe clean_session takeover many_clients);
            }
            mod v3_1_1 {
                tests!(crate::scripts::mqttjs, V3_1_1, qos0 qos1 qos2 retained will resumed_session
                    large_message wildcards unsubscribe clean_session takeover many_clients);
            }
            mod v5_0 {
                tests!(crate::scripts::mqttjs, V5_0, qos0 qos1 qos2 retained will resumed_session
                    large_message wildcards unsubscribe clean_session takeover many_clients
                    properties);
            }
        }
        mod rumqttc {
            mod v3_1_1 {
                tests!(crate::rumqttc_scenarios::run, V3_1_1, qos0 qos1 qos2 retained will
                    resumed_session redelivery large_message wildcards unsubscribe clean_session);
            }
            mod v5_0 {
                tests!(crate::rumqttc_scenarios::run, V5_0, qos0 qos1 qos2 retained will
                    resumed_session redelivery large_message wildcards unsubscribe clean_session);
            }
        }
    };
}

/// The same for what lies between client and broker: `$run(DRIVER, way, "scenario")`.
macro_rules! over {
    ($run:path, $way:expr, $($scenario:ident)*) => {
        $(#[test]
        fn $scenario() {
            $run(super::super::super::DRIVER, $way, stringify!($scenario));
        })*
    };
}

macro_rules! transports {
    () => {
        mod transports {
            mod mosquitto {
                mod tls_1_2 {
                    over!(crate::mosquitto::over_tls, "tlsv1.2", qos0 qos1 qos2 large_message);
                }
                mod tls_1_3 {
                    over!(crate::mosquitto::over_tls, "tlsv1.3", qos0 qos1 qos2 large_message will);
                }
                mod mutual_tls {
                    over!(crate::mosquitto::over_mutual_tls, "cn", qos0 qos1 qos2 large_message
                        user_name refused_without_certificate);
                }
                mod haproxy_v1 {
                    over!(crate::mosquitto::behind_haproxy, "send-proxy", qos0 qos1 qos2
                        large_message client_address untrusted_proxy);
                }
                mod haproxy_v2_and_tls {
                    over!(crate::mosquitto::behind_haproxy, "send-proxy-v2", qos0 qos1 qos2
                        large_message client_address untrusted_proxy);
                }
            }
            mod paho {
                mod tls {
                    over!(crate::scripts::paho_over, &crate::broker::secured("mqtts", ""),
                        qos0 qos1 qos2 large_message burst ping);
                }
                mod ws {
                    over!(crate::scripts::paho_over, "ws://127.0.0.1:0/mqtt",
                        qos0 qos1 qos2 large_message burst ping);
                }
                mod wss {
                    over!(crate::scripts::paho_over, &crate::broker::secured("wss", ""),
                        qos0 qos1 qos2 large_message burst ping);
                }
            }
            mod mqttjs {
                mod tls {
                    over!(crate::scripts::mqttjs_over, &crate::broker::secured("mqtts", ""),
                        qos0 qos1 qos2 large_message will resumed_session many_clients);
                }
                mod ws {
                    over!(crate::scripts::mqttjs_over, "ws://127.0.0.1:0/mqtt",
                        qos0 qos1 qos2 large_message will resumed_session many_clients);
                }
                mod wss {
                    over!(crate::scripts::mqttjs_over, &crate::broker::secured("wss", ""),
                        qos0 qos1 qos2 large_message will resumed_session many_clients);
                }
            }
            mod chromium {
                mod ws {
                    over!(crate::chromium::run, "ws", messages foreign_origin);
                }
                mod wss {
                    over!(crate::chromium::run, "wss", messages foreign_origin);
                }
            }
            mod openssl {
                mod tls_1_2 {
                    over!(crate::openssl::run, "-tls1_2", messages handshake server_name
                        client_certificate resumption);
                }
                mod tls_1_3 {
                    over!(crate::openssl::run, "-tls1_3", messages handshake server_name
                        client_certificate resumption);
                }
            }
        }
    };
}

macro_rules! management {
    () => {
        #[test]
        fn m30_management_answers_as_its_document_says() {
            crate::schemathesis::run(DRIVER);
        }
    };
}

mod mio {
    const DRIVER: crate::Driver = crate::Driver::Mio;
    clients!();
    transports!();
    management!();
}

mod tokio {
    const DRIVER: crate::Driver = crate::Driver::Tokio;
    clients!();
    transports!();
    management!();
}
