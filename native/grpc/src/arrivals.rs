//! Requests that have begun and not arrived, counted by host.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// The counts of all hosts.
pub struct Arrivals {
    most: usize,
    of_host: Mutex<HashMap<IpAddr, usize>>,
}

impl Arrivals {
    /// Let each host have so many at a time.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(1),
            of_host: Mutex::default(),
        })
    }

    /// Count one more until what is returned is dropped; None where the host has its share.
    pub fn begin(self: &Arc<Self>, host: IpAddr) -> Option<Arrival> {
        let mut of_host = self.of_host.lock().unwrap();
        let count = of_host.entry(host).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Arrival {
            arrivals: self.clone(),
            host,
        })
    }
}

/// One request that arrives.
pub struct Arrival {
    arrivals: Arc<Arrivals>,
    host: IpAddr,
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut of_host = self.arrivals.of_host.lock().unwrap();
        if let Some(count) = of_host.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                of_host.remove(&self.host);
            }
        }
    }
}
