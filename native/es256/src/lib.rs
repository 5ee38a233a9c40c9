//! ES256 (RFC 7518 section 3.4) by AWS-LC: signatures are the 64 bytes of a JWS, and keys are points.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

#[pymodule]
mod tegata_es256 {
    use super::*;

    /// A public key: an uncompressed point of P-256 (SEC 1 section 2.3.3), 65 bytes.
    #[pyclass(frozen)]
    struct PublicKey(ParsedPublicKey);

    #[pymethods]
    impl PublicKey {
        #[new]
        fn new(point: &[u8]) -> PyResult<Self> {
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .map(Self)
                .map_err(|_| PyValueError::new_err("not a point of P-256"))
        }

        /// Tell whether a signature of 64 bytes is of this message.
        fn verify(&self, signature: &[u8], message: &[u8]) -> bool {
            self.0.verify_sig(message, signature).is_ok()
        }
    }

    /// A private key: a scalar of 32 bytes, and the point that belongs to it.
    #[pyclass(frozen)]
    struct PrivateKey(EcdsaKeyPair);

    #[pymethods]
    impl PrivateKey {
        #[new]
        fn new(secret: &[u8], point: &[u8]) -> PyResult<Self> {
            EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                secret,
                point,
            )
            .map(Self)
            .map_err(|_| PyValueError::new_err("not a private key of P-256 and its point"))
        }

        /// Return a signature of 64 bytes.
        fn sign<'py>(&self, py: Python<'py>, message: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
            let signature = self
                .0
                .sign(&SystemRandom::new(), message)
                .map_err(|_| PyValueError::new_err("the system gives no randomness"))?;
            Ok(PyBytes::new(py, signature.as_ref()))
        }
    }
}
