//! Does the gateway answer on its ops listener, and if not, is the port free for it?

use std::net::SocketAddr;

use super::Finding;
use crate::ops::ask::Connection;
use crate::ops::serve::bind;
use crate::ops::tasks::Tasks;

pub async fn check(ops: SocketAddr, portal: SocketAddr) -> Finding {
    const CHECK: &str = "gateway";
    let tasks = Tasks::new();
    if let Ok(mut connection) = Connection::open(ops, &tasks).await {
        return match connection.get("/readyz").await {
            Ok(answer) if answer.status().is_success() => {
                let text = String::from_utf8_lossy(answer.body()).into_owned();
                Finding::good(CHECK, format!("running and ready: {text}"))
            }
            Ok(answer) => Finding::bad(
                CHECK,
                String::from_utf8_lossy(answer.body()).into_owned(),
                "each failed check above names its part",
            ),
            Err(error) => Finding::bad(
                CHECK,
                format!("something else answers on {ops}: {error}"),
                "set ops.listen to a free port",
            ),
        };
    }
    match bind(portal, "portal").await {
        Ok(_) => Finding::warning(
            CHECK,
            "not running; its ports are free",
            "start it with `maitred gateway --config FILE`",
        ),
        Err(error) => Finding::bad(
            CHECK,
            error.to_string(),
            "stop what uses the port, or set portal.listen to another",
        ),
    }
}
