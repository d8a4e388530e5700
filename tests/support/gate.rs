//! A way to a server that can be shut: what is on the way is cut off, and nobody gets in until it is opened again.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes TCP connections on to a server.
pub struct Gate {
    /// Where to connect.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_shut: bool,
    passing: Vec<TcpStream>,
}

impl Gate {
    /// In front of `server`; open.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::<Mutex<State>>::default());
        let gate = Self { address, state: Arc::clone(&state) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut state = state.lock().unwrap();
                if state.is_shut {
                    continue;
                }
                if let Ok(server) = TcpStream::connect(server) {
                    state.passing.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                    pass(client.try_clone().unwrap(), server.try_clone().unwrap());
                    pass(server, client);
                }
            }
        });
        gate
    }

    /// From now on nothing passes.
    pub fn shut(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_shut = true;
        for end in state.passing.drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Connections pass again.
    pub fn open(&self) {
        self.state.lock().unwrap().is_shut = false;
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
