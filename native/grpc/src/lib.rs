//! A gRPC server that hands each call over to Python as bytes, many in one go.

mod arrivals;
mod calls;
mod codec;
mod server;

use pyo3::prelude::*;

#[pymodule]
mod tegata_grpc {
    #[pymodule_export]
    use crate::calls::Call;
    #[pymodule_export]
    use crate::server::Server;
}
