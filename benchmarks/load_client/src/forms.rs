//! Forms that are posted over HTTP/1.1, by connections that stay open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Outcome;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A path and the body that is posted to it.
pub type Form = (String, Bytes);

/// Post all forms; each connection takes the next one when it has its answer.
pub async fn post_all(
    address: Arc<str>,
    forms: Vec<Form>,
    connections: usize,
) -> Result<(f64, Vec<Outcome>), Failure> {
    let (forms, next) = (Arc::new(forms), Arc::new(AtomicUsize::new(0)));
    let mut senders = Vec::with_capacity(connections);
    for _ in 0..connections {
        senders.push(connect(&address).await?);
    }
    let began = Instant::now();
    let tasks: Vec<_> = senders
        .into_iter()
        .map(|sender| {
            let (forms, next) = (forms.clone(), next.clone());
            tokio::spawn(post_each(sender, address.clone(), forms, next, began))
        })
        .collect();
    let mut outcomes = Vec::with_capacity(forms.len());
    for task in tasks {
        outcomes.extend(task.await?);
    }
    Ok((began.elapsed().as_secs_f64(), outcomes))
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn post_each(
    mut sender: SendRequest<Full<Bytes>>,
    address: Arc<str>,
    forms: Arc<Vec<Form>>,
    next: Arc<AtomicUsize>,
    began: Instant,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    while let Some((path, body)) = forms.get(next.fetch_add(1, Ordering::Relaxed)) {
        let started = Instant::now();
        let answer = post(&mut sender, &address, path, body.clone()).await;
        outcomes.push(Outcome {
            sent_s: (started - began).as_secs_f64(),
            taken_s: started.elapsed().as_secs_f64(),
            result: answer.map_err(|error| error.to_string()),
        });
    }
    outcomes
}

/// Return the body of the answer, where that is 200.
async fn post(
    sender: &mut SendRequest<Full<Bytes>>,
    address: &str,
    path: &str,
    body: Bytes,
) -> Result<Bytes, Failure> {
    let request = http::Request::post(path)
        .header(HOST, address)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(body))?;
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let text = answer.into_body().collect().await?.to_bytes();
    if status != http::StatusCode::OK {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&text)).into());
    }
    Ok(text)
}
