//! The header of a load balancer: read as it asks to be read, it never takes a byte that is not its own, it ends, and
//! what is known of it early does not change when more comes.

use zegel::proxy_protocol::{HeaderError, MAX_HEADER, Origin, Progress, parse};

pub fn holds(input: &[u8]) {
    let read = read_as_asked(input);
    if let Some((length, result)) = read {
        for cut in 0..=length {
            match parse(&input[..cut]) {
                Ok(Progress::Needs(more)) => {
                    assert!(cut < length && more <= length - cut, "asks for too much")
                }
                early => assert_eq!(early, result, "{cut} of {length} bytes"),
            }
        }
        assert_eq!(parse(input), result, "what follows is looked at");
    }
    if let Some((_, Ok(Progress::Whole(Origin::Client(client))))) = read {
        assert_eq!(client.ip(), client.ip().to_canonical());
    }
}

/// How many bytes were taken, and what they are; nothing when the input ends before that is known.
fn read_as_asked(input: &[u8]) -> Option<(usize, Result<Progress, HeaderError>)> {
    let mut taken = 0;
    loop {
        assert!(taken <= MAX_HEADER);
        match parse(&input[..taken]) {
            Ok(Progress::Needs(0)) => panic!("waits for nothing"),
            Ok(Progress::Needs(more)) if taken + more <= input.len() => taken += more,
            Ok(Progress::Needs(_)) => return None,
            known => return Some((taken, known)),
        }
    }
}
