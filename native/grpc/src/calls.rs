//! One call: what came, and the way back.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use crossbeam_channel::Sender;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::sync::{mpsc, oneshot};
use tonic::{Code, Status};

pub type Answer = Result<Bytes, Status>;

/// What Python is told of: a call that came, that a stream is over, that the server has stopped.
pub enum Event {
    Came(Call),
    Left(u64),
    Stopped,
}

/// Where answers go. A unary call has one; a stream is opened, then has any number.
///
/// A call keeps its place also when its client has left: its request is still in memory.
pub enum Way {
    Unary(Option<(oneshot::Sender<Answer>, Place)>),
    Stream {
        opening: Option<oneshot::Sender<Result<(), Status>>>,
        answers: Option<mpsc::Sender<Answer>>,
        _place: Arc<Place>,
    },
}

/// A call that waits for its answer. Any thread may answer it.
#[pyclass(frozen)]
pub struct Call {
    /// Tells it apart from the other calls of its server.
    #[pyo3(get)]
    pub id: u64,
    /// The method's place in the list that the server was made with.
    #[pyo3(get)]
    pub method: usize,
    /// The client's address as gRPC writes it, such as `ipv4:127.0.0.1:50000`.
    #[pyo3(get)]
    pub peer: String,
    /// The client's context of a trace (W3C), where it sent one.
    #[pyo3(get)]
    pub traceparent: Option<String>,
    pub data: Bytes,
    pub is_over: Arc<AtomicBool>,
    pub way: Mutex<Way>,
}

#[pymethods]
impl Call {
    /// The request.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.data)
    }

    /// How many bytes the request has.
    #[getter]
    fn size(&self) -> usize {
        self.data.len()
    }

    /// Whether a stream is over, be it that its client has left.
    #[getter]
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Let a stream's client know that it is open; sending does so too.
    fn open(&self) {
        if let Way::Stream { opening, .. } = &mut *self.way.lock().unwrap() {
            opening.take().map(|opening| opening.send(Ok(())));
        }
    }

    /// Answer a unary call, or send one message of a stream, waiting until there is room for it.
    ///
    /// Returns false where the client has left.
    fn send(&self, py: Python<'_>, data: &[u8]) -> bool {
        let data = Bytes::copy_from_slice(data);
        self.open();
        let answers = match &mut *self.way.lock().unwrap() {
            Way::Unary(answer) => {
                return answer.take().is_some_and(|(answer, place)| {
                    drop(place);
                    answer.send(Ok(data)).is_ok()
                });
            }
            Way::Stream { answers, .. } => answers.clone(),
        };
        answers.is_some_and(|answers| py.detach(|| answers.blocking_send(Ok(data)).is_ok()))
    }

    /// End a stream; without `code` and `text`, well.
    #[pyo3(signature = (code = 0, text = ""))]
    fn end(&self, py: Python<'_>, code: i32, text: &str) {
        let failure = (code != 0).then(|| Status::new(Code::from(code), text));
        let answers = match &mut *self.way.lock().unwrap() {
            Way::Unary(answer) => {
                if let Some(failure) = failure {
                    answer.take().map(|(answer, place)| {
                        drop(place);
                        answer.send(Err(failure))
                    });
                }
                return;
            }
            Way::Stream {
                opening, answers, ..
            } => {
                let opened = failure.clone().map_or(Ok(()), Err);
                opening.take().map(|opening| opening.send(opened));
                answers.take()
            }
        };
        if let (Some(answers), Some(failure)) = (answers, failure) {
            py.detach(|| answers.blocking_send(Err(failure)).ok());
        }
    }
}

/// Counts open calls.
pub struct Place(Arc<AtomicUsize>);

impl Place {
    /// Take a place, where fewer than `most` are taken.
    pub fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let place = Self(taken.clone());
        (taken.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lives as long as a stream is sent; when it goes, Python is told.
pub struct Presence {
    pub id: u64,
    pub events: Sender<Event>,
    pub is_over: Arc<AtomicBool>,
    pub _place: Arc<Place>,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        self.events.send(Event::Left(self.id)).ok();
    }
}
