//! Through stdin and stdout, with the client that started the program.

use rmcp::RoleServer;
use rmcp::model::JsonRpcMessage;
use rmcp::service::{RxJsonRpcMessage, ServerInitializeError, TxJsonRpcMessage, serve_server_with_ct};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::{Transport, stdio};
use tokio::io::{Stdin, Stdout};
use tokio_util::sync::CancellationToken;

use super::server::Server;
use crate::error::Failure;

/// How long one message may be, in bytes: a longer one is dropped.
const MOST_LINE_BYTES: usize = 1 << 20;

/// Returns once the input ends, or `stop` is cancelled.
pub(super) async fn serve(server: Server, stop: CancellationToken) -> Result<(), Failure> {
    let (input, output) = stdio();
    let lines = AsyncRwTransport::new(input, output).with_max_line_length(MOST_LINE_BYTES);
    match serve_server_with_ct(server, Patient { lines, begun: false }, stop).await {
        Ok(running) => {
            running
                .waiting()
                .await
                .map_err(|panic| Failure::other("the program has a bug and stopped", panic))?;
            Ok(())
        }
        // A client that leaves before it has begun is no failure.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
        Err(error) => Err(Failure::other("the client could not begin", error)),
    }
}

/// Lines, of which those before the first request are passed over that are none: the SDK would end for them.
struct Patient {
    lines: AsyncRwTransport<RoleServer, Stdin, Stdout>,
    begun: bool,
}

impl Transport<RoleServer> for Patient {
    type Error = std::io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.lines.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let message = self.lines.receive().await?;
            self.begun |= matches!(message, JsonRpcMessage::Request(_));
            if self.begun {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.lines.close().await
    }
}
