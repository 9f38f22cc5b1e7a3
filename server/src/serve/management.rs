//! The management API: where it is, and who may call it.

use super::{ServeError, web::Place};
use crate::args::ServeArgs;
use sanderling_management::{Management, Secret, Tokens};

const PORT: u16 = 8081;

/// The plugin, and the lines that whoever starts the broker is told once it runs: never in the log, because a token may
/// be in them.
pub(super) struct Managed {
    pub(super) plugin: Management,
    pub(super) told: Vec<String>,
}

/// The API that was asked for. Without any wish it is on loopback, if its usual port is free.
pub(super) fn prepare(args: &ServeArgs) -> Result<Option<Managed>, ServeError> {
    if args.no_management {
        return Ok(None);
    }
    let place = Place {
        what: "management",
        option: "--management",
        asked: args.management.as_deref(),
        port: PORT,
        is_wanted: args.management_tokens.is_some(),
        is_usual: args.listen.is_empty(),
    };
    let Some(listener) = place.listen()? else {
        return Ok(None);
    };
    let address = listener.local_addr().map_err(ServeError::System)?;
    let (tokens, made) = tokens(args)?;
    let mut told = vec![format!("management on http://{address}")];
    told.extend(made.map(|(secret, how_long)| {
        let token = secret.as_str();
        format!("management token, {how_long}: {token}")
    }));
    Ok(Some(Managed {
        plugin: Management::on(listener).tokens(tokens),
        told,
    }))
}

/// A token that was made now, and how long it is good.
type Made = Option<(Secret, &'static str)>;

fn tokens(args: &ServeArgs) -> Result<(Tokens, Made), ServeError> {
    match &args.management_tokens {
        Some(file) => {
            let (tokens, secret) = Tokens::file(file).map_err(ServeError::Tokens)?;
            Ok((tokens, secret.map(|secret| (secret, "told only now"))))
        }
        None => {
            let (tokens, secret) = Tokens::one_time().map_err(ServeError::System)?;
            Ok((tokens, Some((secret, "good for this run"))))
        }
    }
}
