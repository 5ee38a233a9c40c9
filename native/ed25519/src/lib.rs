//! Verification of Iroha's two Ed25519 schemes by ed25519-dalek, many signatures in one call.

use ed25519_dalek::{Sha512, Signature, VerifyingKey, hazmat::raw_verify};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sha3::Sha3_512;

/// The compressed neutral element of the curve.
const IDENTITY: [u8; 32] = {
    let mut point = [0; 32];
    point[0] = 1;
    point
};

/// A signature, the key that it must verify under, and the bytes that the scheme signs.
///
/// The message stays where it is: many signatures may be of one that is megabytes long.
struct Signed<'a> {
    is_sha3: bool,
    key: [u8; 32],
    signature: [u8; 64],
    message: &'a [u8],
}

impl Signed<'_> {
    /// Whether S is reduced and S*B - k*A is, byte by byte, R.
    fn verifies(&self) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&self.key) else {
            return false;
        };
        let signature = Signature::from_bytes(&self.signature);
        if self.is_sha3 {
            return raw_verify::<Sha3_512>(&key, self.message, &signature).is_ok();
        }
        // libsodium, which stands in for this, refuses an R of small order.
        signature.r_bytes() != &IDENTITY
            && raw_verify::<Sha512>(&key, self.message, &signature).is_ok()
    }
}

#[pymodule]
mod tegata_ed25519 {
    use super::*;

    type Item<'py> = (
        bool,
        Bound<'py, PyBytes>,
        Bound<'py, PyBytes>,
        Bound<'py, PyBytes>,
    );

    /// Tell of each (is_sha3, key, signature, message) whether the signature verifies.
    ///
    /// Whether the key is a canonical point of the prime-order group is the caller's to check.
    #[pyfunction]
    fn verify_many(py: Python<'_>, items: Vec<Item<'_>>) -> PyResult<Vec<bool>> {
        let signed = items
            .iter()
            .map(|(is_sha3, key, signature, message)| {
                Ok(Signed {
                    is_sha3: *is_sha3,
                    key: key.as_bytes().try_into()?,
                    signature: signature.as_bytes().try_into()?,
                    message: message.as_bytes(),
                })
            })
            .collect::<PyResult<Vec<_>>>()?;
        Ok(py.detach(|| signed.iter().map(Signed::verifies).collect()))
    }
}
