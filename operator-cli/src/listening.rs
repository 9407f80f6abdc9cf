//! Connections to a port of our own, so many at a time and each for so long.

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Who comes while so many are served waits until one has gone.
const MOST_CONNECTIONS: usize = 64;

/// Serves who comes, until it is dropped, and the connections with it. A connection ends at its deadline.
pub(crate) async fn accept<S>(listener: TcpListener, deadline: Duration, serve: impl Fn(TcpStream) -> S)
where
    S: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(tokio::time::timeout(deadline, serve(stream)));
                }
                // Out of file descriptors, most likely: wait for some to come back.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
