//! The server: starts conversations. To build a prompt it walks its temp directory for guidance files,
//! on a thread for blocking work, and answers when that is done.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::routing::{get, post};
use tokio::sync::watch;
use tracing::Instrument as _;

use super::stage::Stage;
use super::walk::{Found, guidance_below};
use super::{Answer, DemoError, recorded};

/// Where the server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address(pub(super) SocketAddr);

impl Address {
    /// The name under which phases wait for it and serve it.
    pub(super) fn resource(self) -> String {
        format!("http:{}", self.0)
    }

    pub(super) fn url(self, path: &str) -> String {
        format!("http://{}{path}", self.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The first line on its standard output; the address follows.
pub(super) const LISTENS: &str = "listening on ";

struct Server {
    address: Address,
    temp: PathBuf,
    answer: Answer,
    /// Walks that have ended.
    walked: watch::Sender<u32>,
}

/// Serves until it is killed.
pub(super) fn run(stage: &Stage, threads: u16, answer: Answer) -> Result<(), DemoError> {
    stage.enter("indexd")?;
    recorded::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(usize::from(threads))
        .enable_all()
        .build()
        .map_err(|source| DemoError::Start { what: "the server's runtime", source })?;
    runtime.block_on(serve(stage.temp(), answer)).map(|never| match never {})
}

async fn serve(temp: PathBuf, answer: Answer) -> Result<Infallible, DemoError> {
    let failed = |source| DemoError::Call { call: "listening", source };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
    let address = Address(listener.local_addr().map_err(failed)?);
    let server = Arc::new(Server { address, temp, answer, walked: watch::Sender::new(0) });
    let routes = Router::new()
        .route("/api/conversations/new", post(new_conversation))
        .route("/api/conversations/walks", get(walks))
        .with_state(server)
        .into_make_service_with_connect_info::<SocketAddr>();
    println!("{LISTENS}{address}");
    axum::serve(listener, routes).await.map_err(failed)?;
    Err(DemoError::Part { who: "indexd", what: "stopped listening".to_owned() })
}

async fn new_conversation(
    State(server): State<Arc<Server>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    text: String,
) -> String {
    let phase = tracing::info_span!(
        "POST /api/conversations/new",
        hang.serve = %server.address.resource(),
        hang.link = %format_args!("{client}>{}", server.address),
        bytes = text.len(),
    );
    async move {
        match server.answer {
            Answer::Last => {
                let found = walk(Arc::clone(&server)).await;
                format!("a conversation with {} guidance files\n", found.guidance.len())
            }
            Answer::First => {
                tokio::spawn(walk(server).in_current_span());
                "a conversation; its prompt follows\n".to_owned()
            }
        }
    }
    .instrument(phase)
    .await
}

/// Walks the temp directory on a thread for blocking work, inside the phase of the request.
async fn walk(server: Arc<Server>) -> Found {
    let request = tracing::Span::current();
    let temp = server.temp.clone();
    let found =
        tokio::task::spawn_blocking(move || request.in_scope(|| guidance_below(&temp))).await.unwrap_or_default();
    server.walked.send_modify(|count| *count += 1);
    found
}

/// Answers when the first walk has ended.
async fn walks(State(server): State<Arc<Server>>) -> String {
    let mut walked = server.walked.subscribe();
    // The sender lives in the state, so waiting cannot fail.
    let count = walked.wait_for(|count| *count > 0).await.map_or(0, |count| *count);
    format!("{count}\n")
}
