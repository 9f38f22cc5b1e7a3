//! A broker inside an axum application, on the same tokio runtime.
//!
//! ```sh
//! cargo run -p sanderling-examples --bin axum_app -- 127.0.0.1:1883 127.0.0.1:3000
//! mosquitto_sub -t '#' -v
//! curl --data 'wet feet, never' http://127.0.0.1:3000/publish/greetings/hello
//! curl http://127.0.0.1:3000/statistics
//! ```

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use sanderling_examples::{Failure, announce, arguments, on_signal};
use sanderling_tokio::{Broker, Handle, HandleError, Publication};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let [mqtt, http] = arguments(["127.0.0.1:1883", "127.0.0.1:3000"]);
    let broker = Broker::builder().listen(&mqtt)?.start()?;
    let web = TcpListener::bind(http).await?;
    // Whoever reaches the address can publish. On more than this machine, ask for a token first.
    let router = Router::new()
        .route("/publish/{*topic}", post(publish))
        .route("/statistics", get(statistics))
        .with_state(broker.handle());

    let (stop, stopped) = oneshot::channel::<()>();
    on_signal(move || drop(stop))?;
    announce(broker.endpoints());
    println!("listening on http://{}", web.local_addr()?);
    axum::serve(web, router)
        .with_graceful_shutdown(async {
            // The error says that the sender is gone, which is what we wait for. Requests under way are answered; who
            // does not want to wait for that presses Ctrl-C again.
            let _ = stopped.await;
        })
        .await?;
    // No request is under way any more, so nobody needs the broker.
    broker.stop();
    broker.join().await?;
    Ok(())
}

/// `POST /publish/TOPIC` with the payload as body; answers how many clients have it.
async fn publish(
    State(broker): State<Handle>,
    Path(topic): Path<String>,
    payload: Bytes,
) -> Result<Json<Value>, (StatusCode, String)> {
    // Done when the message was routed: whoever floods this route waits for the broker, not the broker for it.
    let published = broker.publish_async(Publication::new(topic, payload)).await;
    let receivers = published.map_err(refused)?;
    Ok(Json(json!({ "receivers": receivers })))
}

/// `GET /statistics`
async fn statistics(State(broker): State<Handle>) -> Result<Json<Value>, (StatusCode, String)> {
    // `look_async` shows the broker between two turns: copy what is needed and leave.
    let seen = broker.look_async(|view| view.statistics().clone()).await;
    let statistics = seen.map_err(refused)?;
    Ok(Json(json!({
        "connections": statistics.connections_current,
        "subscriptions": statistics.subscriptions_current,
        "messages_received": statistics.messages_received,
        "messages_sent": statistics.messages_sent,
    })))
}

fn refused(error: HandleError) -> (StatusCode, String) {
    let status = match error {
        HandleError::InvalidTopic(_) | HandleError::TopicTooDeep => StatusCode::BAD_REQUEST,
        HandleError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, error.to_string())
}
