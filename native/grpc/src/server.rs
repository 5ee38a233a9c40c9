//! The server: connections in a runtime of its own, calls in a queue that Python takes from.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::{Grpc, ServerStreamingService, UnaryService};

use crate::arrivals::{Arrival, Arrivals};
use crate::calls::{Answer, Call, Event, Place, Presence, Way};
use crate::codec::BytesCodec;

/// How long a client may say nothing before it is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Answers of a stream that wait to be sent; the next one makes its sender wait.
const STREAM_ROOM: usize = 8;
const RUNTIME_THREADS: usize = 1;
/// How long the last answers may take from here to the socket.
const LAST_ANSWERS: Duration = Duration::from_millis(20);
const MAX_STREAMS_OF_A_CONNECTION: u32 = 1024;

/// What all connections share.
struct Front {
    methods: HashMap<String, (usize, bool)>,
    max_request: usize,
    max_response: usize,
    max_calls: usize,
    max_arrival: Duration,
    open_calls: Arc<AtomicUsize>,
    arrivals: Arc<Arrivals>,
    next_id: AtomicU64,
    is_closing: AtomicBool,
    events: Sender<Event>,
}

impl Front {
    async fn answer(
        self: Arc<Self>,
        client: SocketAddr,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let Some(&(method, is_stream)) = self.methods.get(request.uri().path()) else {
            return Status::unimplemented("there is no such method").into_http();
        };
        let mut grpc = Grpc::new(BytesCodec)
            .max_decoding_message_size(self.max_request)
            .max_encoding_message_size(self.max_response);
        if self.is_closing.load(Ordering::Acquire) {
            return Status::unavailable("the server is stopping").into_http();
        }
        let Some(place) = Place::take(&self.open_calls, self.max_calls) else {
            let text = format!("{} calls are open; call again later", self.max_calls);
            return Status::resource_exhausted(text).into_http();
        };
        let Some(arrival) = self.arrivals.begin(client.ip()) else {
            let text = "too many requests of this host are half sent; call again later";
            return Status::resource_exhausted(text).into_http();
        };
        let (has_come, comes) = oneshot::channel();
        let late = is_late(comes, self.max_arrival);
        let method = Method {
            front: self,
            place: Some(place),
            arrival: Some((arrival, has_come)),
            method,
            client,
        };
        let answering = async {
            if is_stream {
                grpc.server_streaming(method, request).await
            } else {
                grpc.unary(method, request).await
            }
        };
        let mut answer = tokio::select! {
            answer = answering => answer,
            () = late => {
                Status::deadline_exceeded("the request took too long to arrive").into_http()
            }
        };
        // A message above the limit: the other servers of gRPC have another code for it.
        if let Some(status) = answer.headers_mut().get_mut("grpc-status")
            && status == "11"
        {
            *status = HeaderValue::from_static("8");
        }
        answer
    }
}

/// Return when a request has not come in time; where it has, never.
async fn is_late(comes: oneshot::Receiver<()>, longest: Duration) {
    if tokio::time::timeout(longest, comes).await.is_ok() {
        pending::<()>().await;
    }
}

/// One call of one method.
struct Method {
    front: Arc<Front>,
    place: Option<Place>,
    arrival: Option<(Arrival, oneshot::Sender<()>)>,
    method: usize,
    client: SocketAddr,
}

impl Method {
    fn hand_over(
        &mut self,
        request: tonic::Request<Bytes>,
        way: Way,
    ) -> (u64, Arc<AtomicBool>) {
        if let Some((_, has_come)) = self.arrival.take() {
            has_come.send(()).ok();
        }
        let traceparent = request.metadata().get("traceparent");
        let traceparent = traceparent.and_then(|value| value.to_str().ok().map(String::from));
        let data = request.into_inner();
        let id = self.front.next_id.fetch_add(1, Ordering::Relaxed);
        let is_over = Arc::new(AtomicBool::new(false));
        let call = Call {
            id,
            method: self.method,
            peer: shown(self.client),
            traceparent,
            data,
            is_over: is_over.clone(),
            way: Mutex::new(way),
        };
        self.front.events.send(Event::Came(call)).ok();
        (id, is_over)
    }
}

impl UnaryService<Bytes> for Method {
    type Response = Bytes;
    type Future = BoxFuture<tonic::Response<Bytes>, Status>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (sender, receiver) = oneshot::channel();
        let place = self.place.take().expect("a method is called once");
        self.hand_over(request, Way::Unary(Some((sender, place))));
        Box::pin(async move {
            receiver
                .await
                .unwrap_or_else(|_| Err(Status::internal("no answer")))
                .map(tonic::Response::new)
        })
    }
}

type Answers = std::pin::Pin<Box<dyn Stream<Item = Answer> + Send>>;

impl ServerStreamingService<Bytes> for Method {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = BoxFuture<tonic::Response<Answers>, Status>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (opening, opened) = oneshot::channel();
        let (answers, sent) = mpsc::channel(STREAM_ROOM);
        let place = Arc::new(self.place.take().expect("a method is called once"));
        let events = self.front.events.clone();
        let way = Way::Stream {
            opening: Some(opening),
            answers: Some(answers),
            _place: place.clone(),
        };
        let (id, is_over) = self.hand_over(request, way);
        let presence = Presence {
            id,
            events,
            is_over,
            _place: place,
        };
        Box::pin(async move {
            opened
                .await
                .unwrap_or_else(|_| Err(Status::internal("no answer")))?;
            let stream: Answers = Box::pin(ReceiverStream::new(sent).map(move |answer| {
                let _ = &presence;
                answer
            }));
            Ok(tonic::Response::new(stream))
        })
    }
}

/// A gRPC server on one address.
#[pyclass(frozen)]
pub struct Server {
    /// `host:port`, with the port that was taken.
    #[pyo3(get)]
    address: String,
    listener: Mutex<Option<TcpListener>>,
    front: Arc<Front>,
    events: Receiver<Event>,
    runtime: Mutex<Option<Runtime>>,
    stopping: Arc<Notify>,
}

#[pymethods]
impl Server {
    /// Bind an address; `start` answers on it.
    ///
    /// Methods are given as (path, whether it answers with a stream). A request that takes longer than
    /// `max_arrival_s` to arrive is refused, and so are those of a host that holds half of all
    /// places with requests that have not arrived.
    #[new]
    fn new(
        address: &str,
        methods: Vec<(String, bool)>,
        max_request_bytes: usize,
        max_response_bytes: usize,
        max_calls: usize,
        max_arrival_s: f64,
    ) -> PyResult<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let (events, taken) = unbounded();
        let numbered = methods.into_iter().enumerate();
        let front = Front {
            methods: numbered
                .map(|(number, (path, stream))| (path, (number, stream)))
                .collect(),
            max_request: max_request_bytes,
            max_response: max_response_bytes,
            max_calls,
            max_arrival: Duration::from_secs_f64(max_arrival_s),
            open_calls: Arc::default(),
            arrivals: Arrivals::new(max_calls / 2),
            next_id: AtomicU64::new(0),
            is_closing: AtomicBool::new(false),
            events,
        };
        Ok(Self {
            address: format!("{host}:{port}"),
            listener: Mutex::new(Some(listener)),
            front: Arc::new(front),
            events: taken,
            runtime: Mutex::new(None),
            stopping: Arc::new(Notify::new()),
        })
    }

    /// Begin to answer.
    fn start(&self) -> PyResult<()> {
        let Some(listener) = self.listener.lock().unwrap().take() else {
            return Err(PyOSError::new_err("the server was started before"));
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("grpc")
            .enable_all()
            .build()?;
        let (front, stopping) = (self.front.clone(), self.stopping.clone());
        runtime.spawn(accept(listener, front, stopping));
        *self.runtime.lock().unwrap() = Some(runtime);
        Ok(())
    }

    /// Wait for calls; return at most `most`, and the numbers of the streams that are over.
    ///
    /// Returns None when the server has stopped.
    fn take(&self, py: Python<'_>, most: usize) -> Option<(Vec<Call>, Vec<u64>)> {
        let first = py.detach(|| self.events.recv());
        let (mut calls, mut left) = (Vec::new(), Vec::new());
        let mut next = first.ok();
        while let Some(event) = next {
            match event {
                Event::Came(call) => calls.push(call),
                Event::Left(id) => left.push(id),
                Event::Stopped => {
                    // For the next thread that waits.
                    self.front.events.send(Event::Stopped).ok();
                    if calls.is_empty() && left.is_empty() {
                        return None;
                    }
                    break;
                }
            }
            if calls.len() == most {
                break;
            }
            next = self.events.try_recv().ok();
        }
        Some((calls, left))
    }

    /// How many calls wait to be taken.
    fn waiting(&self) -> usize {
        self.events.len()
    }

    /// Take no new calls. `join` waits for the open ones.
    fn close(&self) {
        self.front.is_closing.store(true, Ordering::Release);
        self.listener.lock().unwrap().take();
        self.stopping.notify_one();
    }

    /// Wait until the open calls are answered or `grace_s` is over, and cut off what is left.
    fn join(&self, py: Python<'_>, grace_s: f64) {
        let runtime = self.runtime.lock().unwrap().take();
        py.detach(|| {
            let Some(runtime) = runtime else { return };
            let open = self.front.open_calls.clone();
            runtime.block_on(async {
                let answered = async {
                    while open.load(Ordering::Relaxed) > 0 {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                };
                let grace = Duration::from_secs_f64(grace_s.max(0.0));
                tokio::time::timeout(grace, answered).await.ok();
                tokio::time::sleep(LAST_ANSWERS).await;
            });
            runtime.shutdown_timeout(Duration::from_secs(1));
        });
        self.front.events.send(Event::Stopped).ok();
    }
}

async fn accept(listener: TcpListener, front: Arc<Front>, stopping: Arc<Notify>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let graceful = GracefulShutdown::new();
    loop {
        let (socket, address) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(_) => {
                    // Most likely there are too many open files: some will be closed.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stopping.notified() => break,
        };
        socket.set_nodelay(true).ok();
        let front = front.clone();
        let calls = service_fn(move |request| {
            let answer = front.clone().answer(address, request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .adaptive_window(true)
            .keep_alive_interval(KEEP_ALIVE)
            .max_concurrent_streams(MAX_STREAMS_OF_A_CONNECTION)
            .serve_connection(TokioIo::new(socket), calls);
        tokio::spawn(graceful.watch(connection));
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Return an address as gRPC writes it.
fn shown(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => format!("ipv4:{address}"),
        SocketAddr::V6(address) => format!("ipv6:{address}"),
    }
}
