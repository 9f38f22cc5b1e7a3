//! What the compiler refuses, as examples that must not compile. Each stands beside one that differs in nothing but the
//! fault and does.

/// Starting consumes the builder, so that there is no second start, under either driver. [L10]
///
/// ```compile_fail,E0382
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = sanderling_mio::Broker::builder().listen("127.0.0.1:0")?;
/// let running = builder.start()?;
/// let again = builder.start()?;
/// # running.stop();
/// # running.join()?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0382
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = sanderling_tokio::Broker::builder().listen("127.0.0.1:0")?;
/// let running = builder.start()?;
/// let again = builder.start()?;
/// # running.stop();
/// # running.join().await?;
/// # Ok(())
/// # }
/// ```
///
/// The same with one start:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = sanderling_mio::Broker::builder().listen("127.0.0.1:0")?;
/// let running = builder.start()?;
/// # running.stop();
/// # running.join()?;
/// # Ok(())
/// # }
/// ```
///
/// ```
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = sanderling_tokio::Broker::builder().listen("127.0.0.1:0")?;
/// let running = builder.start()?;
/// # running.stop();
/// # running.join().await?;
/// # Ok(())
/// # }
/// ```
pub mod l10_a_builder_starts_one_broker {}
