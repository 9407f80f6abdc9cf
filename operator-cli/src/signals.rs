//! When to end: Ctrl-C, and for a command that ends in its own way also SIGTERM, and SIGHUP of its terminal.

/// Returns once the program is asked to end, by Ctrl-C or, if `also_terminated`, by SIGTERM or SIGHUP. Listens from its first
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
    use std::io::IsTerminal;

    use tokio::signal::unix::{SignalKind, signal};
    let of = async |kind| {
        let told = match signal(kind) {
            Ok(mut signals) => signals.recv().await,
            Err(_) => None,
        };
        if told.is_none() {
            std::future::pending::<()>().await;
        }
    };
    if !std::io::stdout().is_terminal() {
        // Whoever listens to SIGHUP undoes `nohup`, which is for output that goes to a file.
        return of(SignalKind::terminate()).await;
    }
    tokio::select! {
        () = of(SignalKind::terminate()) => {}
        () = of(SignalKind::hangup()) => {}
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
