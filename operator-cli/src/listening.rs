//! Connections to a port of our own, so many at a time and each for so long.

use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Who comes while so many are served waits until one has gone.
const MOST_CONNECTIONS: usize = 64;
/// The head of a request may be so long.
const MOST_HEAD_BYTES: usize = 16 << 10;
/// The head of a request may take so long: who sends half of one does not keep others out for longer.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);

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

/// HTTP on such a connection, which serves one request and is closed then.
pub(crate) fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.keep_alive(false).max_buf_size(MOST_HEAD_BYTES);
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE);
    http
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hyper::Response;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_in_is_waited_for_no_longer_than_one_that_does_not_come() {
        for drips in [true, false] {
            let (mut client, server) = tokio::io::duplex(1 << 10);
            let service = service_fn(|_| async { Ok::<_, Infallible>(Response::new(String::new())) });
            let served = tokio::spawn(http().serve_connection(TokioIo::new(server), service));
            let begun = Instant::now();
            client.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").await.unwrap();
            while drips && client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let error = served.await.unwrap().unwrap_err();
            assert!(error.is_timeout(), "{error:?}");
            assert!(begun.elapsed() <= HEAD_DEADLINE + Duration::from_secs(1), "{:?}", begun.elapsed());
        }
    }

    #[tokio::test]
    async fn so_many_are_served_at_a_time_and_the_others_then() {
        const COMING: usize = MOST_CONNECTIONS + 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let serve = {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            move |stream: TcpStream| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let leaving = Leaving(Arc::clone(&now));
                async move {
                    let _held = (stream, leaving);
                    std::future::pending().await
                }
            }
        };
        let accepting = tokio::spawn(accept(listener, Duration::from_millis(200), serve));
        let mut clients = Vec::new();
        for _ in 0..COMING {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        // Each is closed at its deadline, the last ones too.
        for client in &mut clients {
            let closed = tokio::time::timeout(Duration::from_secs(30), client.read(&mut [0])).await;
            assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{closed:?}");
        }
        assert_eq!(most.load(Ordering::SeqCst), MOST_CONNECTIONS);
        accepting.abort();
    }

    /// One less is served once it is dropped.
    struct Leaving(Arc<AtomicUsize>);

    impl Drop for Leaving {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
