//! When to end: Ctrl-C, and for a command that ends in its own way also SIGTERM.

/// Returns once the program is asked to end, by Ctrl-C or, if `also_terminated`, by SIGTERM. Listens from its first
/// poll on; where the system lets nobody listen, it never returns.
pub(crate) async fn asked_to_end(also_terminated: bool) {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    if also_terminated {
        tokio::select! {
            () = interrupted => {}
            () = terminated() => {}
        }
    } else {
        interrupted.await;
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let told = match signal(SignalKind::terminate()) {
        Ok(mut signals) => signals.recv().await,
        Err(_) => None,
    };
    if told.is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
