//! Clients of gRPC and HTTP that send requests which were made beforehand, so that they cost little.

#[path = "../../../native/grpc/src/codec.rs"]
mod codec;
mod forms;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use codec::BytesCodec;
use http::uri::PathAndQuery;
use pyo3::exceptions::PyConnectionError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio_stream::StreamExt;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// What became of one request.
struct Outcome {
    /// When it was sent, after the first one was due.
    sent_s: f64,
    /// Until its answer, from when it was due.
    taken_s: f64,
    result: Result<Bytes, String>,
}

type Row = (f64, f64, Option<Py<PyBytes>>, String);

#[pymodule]
mod tegata_load_client {
    use super::*;

    /// Send all requests to one method; return how long it took, and a row for each request.
    ///
    /// A row is (sent after s, taken s, answer, error). Where `rate` is above 0, so many a second
    /// are sent, whether the ones before are answered or not, and the time of each counts from when
    /// it was due; otherwise each of the `in_flight` workers sends its next one when it has its
    /// answer. Answers are kept only if `keep` says so.
    #[pyfunction]
    #[pyo3(signature = (address, path, requests, connections = 1, in_flight = 1, rate = 0.0, keep = false))]
    fn send_all(
        py: Python<'_>,
        address: &str,
        path: &str,
        requests: Vec<Bound<'_, PyBytes>>,
        connections: usize,
        in_flight: usize,
        rate: f64,
        keep: bool,
    ) -> PyResult<(f64, Vec<Row>)> {
        let requests: Vec<Bytes> = requests
            .iter()
            .map(|data| Bytes::copy_from_slice(data.as_bytes()))
            .collect();
        let path = path_of(path)?;
        let (seconds, outcomes) = py.detach(|| {
            runtime()?.block_on(async {
                let channels = connect(address, connections).await?;
                Ok::<_, PyErr>(run(channels, path, requests, in_flight, rate, keep).await)
            })
        })?;
        let rows = outcomes
            .into_iter()
            .map(|outcome| row(py, outcome))
            .collect();
        Ok((seconds, rows))
    }

    /// Open the status stream of each transaction, send it, and wait until the stream ends; one
    /// after another, `gap_s` apart. Return a row for each: the answer is the stream's last message.
    #[pyfunction]
    #[pyo3(signature = (address, send_path, stream_path, pairs, gap_s = 0.0))]
    fn follow_each(
        py: Python<'_>,
        address: &str,
        send_path: &str,
        stream_path: &str,
        pairs: Vec<(Bound<'_, PyBytes>, Bound<'_, PyBytes>)>,
        gap_s: f64,
    ) -> PyResult<Vec<Row>> {
        let pairs: Vec<(Bytes, Bytes)> = pairs
            .iter()
            .map(|(a, b)| {
                (
                    Bytes::copy_from_slice(a.as_bytes()),
                    Bytes::copy_from_slice(b.as_bytes()),
                )
            })
            .collect();
        let (send, stream) = (path_of(send_path)?, path_of(stream_path)?);
        let outcomes = py.detach(|| {
            runtime()?.block_on(async {
                let channel = connect(address, 1).await?.remove(0);
                let began = Instant::now();
                let mut outcomes = Vec::with_capacity(pairs.len());
                for (transaction, question) in pairs {
                    tokio::time::sleep(Duration::from_secs_f64(gap_s)).await;
                    let sent = Instant::now();
                    let result = follow(&channel, &send, &stream, transaction, question).await;
                    outcomes.push(Outcome {
                        sent_s: (sent - began).as_secs_f64(),
                        taken_s: sent.elapsed().as_secs_f64(),
                        result: result.map_err(told),
                    });
                }
                Ok::<_, PyErr>(outcomes)
            })
        })?;
        Ok(outcomes
            .into_iter()
            .map(|outcome| row(py, outcome))
            .collect())
    }

    /// Post each (path, form) over so many connections, each of which sends its next one when it
    /// has its answer; return how long it took, and a row for each. What is not answered by 200 is
    /// an error.
    #[pyfunction]
    #[pyo3(signature = (address, forms, connections = 1))]
    fn post_all(
        py: Python<'_>,
        address: &str,
        forms: Vec<(String, String)>,
        connections: usize,
    ) -> PyResult<(f64, Vec<Row>)> {
        let forms = forms
            .into_iter()
            .map(|(path, body)| (path, Bytes::from(body)))
            .collect();
        let (seconds, outcomes) = py.detach(|| {
            runtime()?.block_on(async {
                forms::post_all(address.into(), forms, connections)
                    .await
                    .map_err(|error| PyConnectionError::new_err(format!("{address}: {error}")))
            })
        })?;
        let rows = outcomes
            .into_iter()
            .map(|outcome| row(py, outcome))
            .collect();
        Ok((seconds, rows))
    }
}

fn row(py: Python<'_>, outcome: Outcome) -> Row {
    let (answer, error) = match outcome.result {
        Ok(answer) => (Some(PyBytes::new(py, &answer).unbind()), String::new()),
        Err(error) => (None, error),
    };
    (outcome.sent_s, outcome.taken_s, answer, error)
}

fn told(status: Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
}

fn path_of(path: &str) -> PyResult<PathAndQuery> {
    path.parse()
        .map_err(|_| PyConnectionError::new_err(format!("{path}: not a method's path")))
}

async fn connect(address: &str, connections: usize) -> PyResult<Vec<Grpc<Channel>>> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| PyConnectionError::new_err(error.to_string()))?
        .tcp_nodelay(true)
        .http2_adaptive_window(true);
    let mut channels = Vec::new();
    for _ in 0..connections {
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| PyConnectionError::new_err(format!("{address}: {error:?}")))?;
        channels.push(Grpc::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES));
    }
    Ok(channels)
}

async fn run(
    channels: Vec<Grpc<Channel>>,
    path: PathAndQuery,
    requests: Vec<Bytes>,
    in_flight: usize,
    rate: f64,
    keep: bool,
) -> (f64, Vec<Outcome>) {
    let began = Instant::now();
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    let workers = if rate > 0.0 {
        requests.len()
    } else {
        in_flight
    };
    let mut tasks = Vec::with_capacity(workers);
    for number in 0..workers {
        let channel = channels[number % channels.len()].clone();
        let (requests, next, path) = (requests.clone(), next.clone(), path.clone());
        let due = (rate > 0.0).then(|| began + Duration::from_secs_f64(number as f64 / rate));
        tasks.push(tokio::spawn(async move {
            let mut outcomes = Vec::new();
            if let Some(due) = due {
                tokio::time::sleep_until(due.into()).await;
                outcomes
                    .push(call(channel, path, requests[number].clone(), began, due, keep).await);
                return outcomes;
            }
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                let now = Instant::now();
                let (channel, path) = (channel.clone(), path.clone());
                outcomes.push(call(channel, path, request.clone(), began, now, keep).await);
            }
            outcomes
        }));
    }
    let mut outcomes = Vec::with_capacity(requests.len());
    for task in tasks {
        outcomes.extend(task.await.expect("a sender does not panic"));
    }
    (began.elapsed().as_secs_f64(), outcomes)
}

async fn call(
    mut channel: Grpc<Channel>,
    path: PathAndQuery,
    request: Bytes,
    began: Instant,
    due: Instant,
    keep: bool,
) -> Outcome {
    let sent_s = began.elapsed().as_secs_f64();
    let result = match channel.ready().await {
        Ok(()) => channel
            .unary(Request::new(request), path, BytesCodec)
            .await
            .map(|answer| {
                if keep {
                    answer.into_inner()
                } else {
                    Bytes::new()
                }
            }),
        Err(error) => Err(Status::unavailable(error.to_string())),
    };
    Outcome {
        sent_s,
        taken_s: due.elapsed().as_secs_f64(),
        result: result.map_err(told),
    }
}

async fn follow(
    channel: &Grpc<Channel>,
    send: &PathAndQuery,
    stream: &PathAndQuery,
    transaction: Bytes,
    question: Bytes,
) -> Result<Bytes, Status> {
    let (mut asking, mut sending) = (channel.clone(), channel.clone());
    asking
        .ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let mut statuses = asking
        .server_streaming(Request::new(question), stream.clone(), BytesCodec)
        .await?
        .into_inner();
    sending
        .ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let answered = sending.unary(Request::new(transaction), send.clone(), BytesCodec);
    let told = async {
        let mut last = Bytes::new();
        while let Some(status) = statuses.next().await {
            last = status?;
        }
        Ok::<_, Status>(last)
    };
    let (answer, last) = tokio::join!(answered, told);
    answer?;
    last
}
