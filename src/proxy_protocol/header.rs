//! The header itself: bytes in, whom the connection comes from out. It does no I/O.

use std::net::SocketAddr;
use std::ops::Range;

/// What every header of version 2 begins with (2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// What every header of version 1 begins with (2.1).
const VERSION_1: &[u8] = b"PROXY ";
/// The bytes of the part that is always there: signature, version and command, family, length.
const FIXED: usize = 16;
/// The longest header that is read. Addresses of the internet need 52 bytes, the other fields of a balancer a few hundred.
pub const MAX_HEADER: usize = 4096;

const LOCAL: u8 = 0;
const PROXY: u8 = 1;
/// TCP over IPv4, with two addresses and two ports (2.2).
const TCP4: u8 = 0x11;
const TCP4_ADDRESSES: usize = 12;
/// The same over IPv6.
const TCP6: u8 = 0x21;
const TCP6_ADDRESSES: usize = 36;
/// The type of the field that holds a checksum of the whole header (2.2.3).
const CRC32C: u8 = 3;

/// Whom a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The proxy itself: a health check.
    Proxy,
    /// The client that the proxy speaks for.
    Client(SocketAddr),
}

/// How much of a header is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// At least so many bytes more; all of them belong to the header.
    Needs(usize),
    /// All of it.
    Whole(Origin),
}

/// Why this is no header that we go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Something else came first.
    #[error("the connection does not begin with a PROXY header")]
    Absent,
    /// The older form, in text.
    #[error("the PROXY header is of version 1, and only version 2 is understood")]
    Version1,
    /// A version that does not exist yet.
    #[error("the PROXY header is of version {0}, and only version 2 is understood")]
    Version(u8),
    /// Neither LOCAL nor PROXY.
    #[error("the PROXY header has the unknown command {0}")]
    Command(u8),
    /// No address of a TCP client: a Unix socket, datagrams, or a proxy that does not know it.
    #[error("the PROXY header names no TCP client (family and transport {0:#04x})")]
    Family(u8),
    /// Longer than [`MAX_HEADER`].
    #[error("the PROXY header is longer than {MAX_HEADER} bytes")]
    TooLong,
    /// Addresses or fields that are longer than the header.
    #[error("the PROXY header is cut off")]
    CutOff,
    /// Two checksums, or one of another size.
    #[error("the PROXY header has no proper checksum")]
    NoChecksum,
    /// A checksum that says that it was damaged.
    #[error("the PROXY header does not have the checksum that it names")]
    Checksum,
}

/// Reads what is there of a header. What follows its end is not looked at.
pub fn parse(bytes: &[u8]) -> Result<Progress, HeaderError> {
    let Some((fixed, _)) = bytes.split_first_chunk::<FIXED>() else { return begin(bytes) };
    let [signature @ .., version_and_command, family, high, low] = fixed;
    if *signature != SIGNATURE {
        return begin(bytes);
    }
    let (version, command) = (version_and_command >> 4, version_and_command & 0x0f);
    let length = FIXED + usize::from(u16::from_be_bytes([*high, *low]));
    match (version, command) {
        (2, LOCAL | PROXY) => {}
        (2, _) => return Err(HeaderError::Command(command)),
        _ => return Err(HeaderError::Version(version)),
    }
    if length > MAX_HEADER {
        return Err(HeaderError::TooLong);
    }
    let Some(header) = bytes.get(..length) else { return Ok(Progress::Needs(length - bytes.len())) };
    // Whatever else is in the header of a LOCAL command is to be ignored.
    let origin = if command == LOCAL { Origin::Proxy } else { Origin::Client(client(header, *family)?) };
    Ok(Progress::Whole(origin))
}

/// As long as the fixed part is not whole, or when it is not that of version 2.
fn begin(bytes: &[u8]) -> Result<Progress, HeaderError> {
    if bytes.starts_with(VERSION_1) {
        Err(HeaderError::Version1)
    } else if SIGNATURE.starts_with(bytes.get(..SIGNATURE.len()).unwrap_or(bytes)) {
        Ok(Progress::Needs(FIXED.saturating_sub(bytes.len())))
    } else if VERSION_1.starts_with(bytes) {
        Ok(Progress::Needs(VERSION_1.len() - bytes.len()))
    } else {
        Err(HeaderError::Absent)
    }
}

/// The source address of a PROXY command, when all else in the header is in order.
fn client(header: &[u8], family: u8) -> Result<SocketAddr, HeaderError> {
    let addresses = header.get(FIXED..).unwrap_or_default();
    let (source, length) = match family {
        TCP4 => (tcp4(addresses), TCP4_ADDRESSES),
        TCP6 => (tcp6(addresses), TCP6_ADDRESSES),
        other => return Err(HeaderError::Family(other)),
    };
    let source = source.ok_or(HeaderError::CutOff)?;
    check_fields(header, FIXED + length)?;
    Ok(SocketAddr::new(source.ip().to_canonical(), source.port()))
}

/// Source, destination, and the port of each.
fn tcp4(addresses: &[u8]) -> Option<SocketAddr> {
    let [a, b, c, d, _, _, _, _, high, low, _, _] = addresses.first_chunk::<TCP4_ADDRESSES>()?;
    Some(SocketAddr::from(([*a, *b, *c, *d], u16::from_be_bytes([*high, *low]))))
}

/// The same with addresses of 16 bytes.
fn tcp6(addresses: &[u8]) -> Option<SocketAddr> {
    let (source, rest) = addresses.split_first_chunk::<16>()?;
    let (_destination, ports) = rest.split_first_chunk::<16>()?;
    let [high, low, _, _] = ports.first_chunk::<4>()?;
    Some(SocketAddr::from((*source, u16::from_be_bytes([*high, *low]))))
}

/// Goes through the fields from `at` on. All but a checksum are skipped; that one must be right (2.2.3).
fn check_fields(header: &[u8], mut at: usize) -> Result<(), HeaderError> {
    let mut checksum = None;
    while let Some(field) = header.get(at..).filter(|field| !field.is_empty()) {
        let [kind, high, low, ..] = field else { return Err(HeaderError::CutOff) };
        let value = at + 3..at + 3 + usize::from(u16::from_be_bytes([*high, *low]));
        at = value.end;
        if at > header.len() {
            return Err(HeaderError::CutOff);
        }
        if *kind == CRC32C && checksum.replace(value).is_some() {
            return Err(HeaderError::NoChecksum);
        }
    }
    checksum.map_or(Ok(()), |value| check_sum(header, value))
}

/// Compares the checksum in these bytes of the header with that of the header in which they are zero.
fn check_sum(header: &[u8], value: Range<usize>) -> Result<(), HeaderError> {
    let named: [u8; 4] =
        header.get(value.clone()).and_then(|named| named.try_into().ok()).ok_or(HeaderError::NoChecksum)?;
    let bytes = header.iter().enumerate().map(|(at, byte)| if value.contains(&at) { 0 } else { *byte });
    if crc32c(bytes) == u32::from_be_bytes(named) { Ok(()) } else { Err(HeaderError::Checksum) }
}

/// CRC-32C (RFC 9260 appendix A), bit by bit: a header is short.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let shift = |crc: u32, _| (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
    !bytes.fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(byte), shift))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    const SOURCE: &str = "192.0.2.7:4711";

    /// A header with this command, family, addresses and fields.
    fn header(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[version_and_command, family], &length, rest].concat()
    }

    fn addresses(source: SocketAddr) -> Vec<u8> {
        let ip = match source.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        [&ip[..], &vec![9; ip.len()], &source.port().to_be_bytes(), &[0, 25]].concat()
    }

    fn proxy4(fields: &[u8]) -> Vec<u8> {
        header(0x21, TCP4, &[addresses(SOURCE.parse().unwrap()), fields.to_vec()].concat())
    }

    fn with_checksum(fields: &[u8]) -> Vec<u8> {
        let mut bytes = proxy4(&[&[CRC32C, 0, 4, 0, 0, 0, 0], fields].concat());
        let sum = crc32c(bytes.iter().copied()).to_be_bytes();
        bytes[31..35].copy_from_slice(&sum);
        bytes
    }

    fn whole(source: &str) -> Result<Progress, HeaderError> {
        Ok(Progress::Whole(Origin::Client(source.parse().unwrap())))
    }

    #[test]
    fn the_client_is_the_source() {
        assert_eq!(parse(&proxy4(b"")), whole(SOURCE));
        for (source, expected) in [
            ("[2001:db8::7]:4711", "[2001:db8::7]:4711"),
            ("[::ffff:192.0.2.7]:4711", SOURCE),
            ("[::]:0", "[::]:0"),
        ] {
            assert_eq!(parse(&header(0x21, TCP6, &addresses(source.parse().unwrap()))), whole(expected));
        }
    }

    /// As HAProxy 2.6 sends it with `send-proxy-v2 proxy-v2-options crc32c,unique-id`.
    #[test]
    fn fields_are_skipped() {
        let field = |kind: u8, value: &[u8]| [&[kind, 0, u8::try_from(value.len()).unwrap()], value].concat();
        let fields = [field(1, b"h2"), field(4, b""), field(0x20, &[7; 40]), field(0xee, b"x")].concat();
        assert_eq!(parse(&proxy4(&fields)), whole(SOURCE));
        assert_eq!(parse(&with_checksum(&fields)), whole(SOURCE));
    }

    #[test]
    fn a_health_check_is_of_the_proxy_whatever_else_it_says() {
        for rest in [&b""[..], &addresses("192.0.2.7:1".parse().unwrap()), b"xyz", &[0xff; 200]] {
            for family in [0, TCP4, TCP6, 0x31, 0xff] {
                assert_eq!(parse(&header(0x20, family, rest)), Ok(Progress::Whole(Origin::Proxy)));
            }
        }
    }

    #[test]
    fn what_names_no_client_is_refused() {
        let source = addresses(SOURCE.parse().unwrap());
        // AF_UNSPEC, UDP, Unix sockets, families and transports that do not exist.
        for family in [0x00, 0x01, 0x10, 0x12, 0x22, 0x31, 0x32, 0x41, 0x13, 0xff] {
            let bytes = header(0x21, family, &[&source[..], &[0; 240]].concat());
            assert_eq!(parse(&bytes), Err(HeaderError::Family(family)));
        }
        for (version_and_command, expected) in [
            (0x22, HeaderError::Command(2)),
            (0x2f, HeaderError::Command(15)),
            (0x11, HeaderError::Version(1)),
            (0x31, HeaderError::Version(3)),
            (0x01, HeaderError::Version(0)),
        ] {
            assert_eq!(parse(&header(version_and_command, TCP4, &source)), Err(expected));
        }
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_refused() {
        let source = addresses(SOURCE.parse().unwrap());
        for length in 0..source.len() {
            assert_eq!(parse(&header(0x21, TCP4, &source[..length])), Err(HeaderError::CutOff), "{length}");
        }
        assert_eq!(parse(&header(0x21, TCP6, &source)), Err(HeaderError::CutOff));
        for fields in [&[4][..], &[4, 0], &[4, 0, 1], &[4, 0xff, 0xff, 0], &[4, 0, 0, 9]] {
            assert_eq!(parse(&proxy4(fields)), Err(HeaderError::CutOff), "{fields:?}");
        }
        for sum in [&[CRC32C, 0, 0][..], &[CRC32C, 0, 3, 1, 2, 3], &[CRC32C, 0, 4, 0, 0, 0, 0].repeat(2)] {
            assert_eq!(parse(&proxy4(sum)), Err(HeaderError::NoChecksum), "{sum:?}");
        }
        let good = with_checksum(b"\x04\0\x01x");
        for at in (FIXED..28).chain(31..35).chain([38]) {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            assert_eq!(parse(&bytes), Err(HeaderError::Checksum), "byte {at}");
        }
    }

    #[test]
    fn what_is_no_header_is_known_at_once() {
        for (bytes, expected) in [
            (&b"E"[..], HeaderError::Absent),
            (b"POST / HTTP/1.1\r\n", HeaderError::Absent),
            (b"\x16\x03\x01", HeaderError::Absent),
            (b"\r\n\r\n\0\r\nQUIX\n", HeaderError::Absent),
            (b"\r\n\r\n\0\r\nQUIT\r\n\r\n\r\n\r\n", HeaderError::Absent),
            (b"PROXY ", HeaderError::Version1),
            (b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\n", HeaderError::Version1),
        ] {
            assert_eq!(parse(bytes), Err(expected), "{bytes:?}");
        }
        assert_eq!(parse(b"PRO"), Ok(Progress::Needs(3)));
    }

    #[test]
    fn a_header_has_a_longest_length() {
        let rest = |length: usize| [addresses(SOURCE.parse().unwrap()), vec![4; length - 28]].concat();
        let mut longest = rest(MAX_HEADER);
        let field = u16::try_from(MAX_HEADER - 28 - 3).unwrap().to_be_bytes();
        longest[13..15].copy_from_slice(&field);
        assert_eq!(parse(&header(0x21, TCP4, &longest)), whole(SOURCE));
        // Told before the rest of it is waited for.
        assert_eq!(parse(&header(0x21, TCP4, &rest(MAX_HEADER + 1))[..FIXED]), Err(HeaderError::TooLong));
        assert_eq!(parse(&header(0x20, 0, &[0; 65_535])[..FIXED]), Err(HeaderError::TooLong));
    }

    /// RFC 9260 appendix A, and RFC 3720 B.4.
    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
        assert_eq!(crc32c([0; 32].into_iter()), 0x8a91_36aa);
    }

    proptest! {
        #[test]
        fn only_what_belongs_to_the_header_is_asked_for(
            fields in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..50)), 0..20),
            behind in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let fields: Vec<u8> = fields
                .into_iter()
                .filter(|(kind, _)| *kind != CRC32C)
                .flat_map(|(kind, value)| [&[kind, 0, value.len() as u8], &value[..]].concat())
                .collect();
            let header = proxy4(&fields);
            for length in 0..header.len() {
                let Ok(Progress::Needs(more)) = parse(&header[..length]) else { panic!("{length}") };
                prop_assert!(more > 0 && length + more <= header.len());
            }
            prop_assert_eq!(parse(&header), whole(SOURCE));
            prop_assert_eq!(parse(&[header, behind].concat()), whole(SOURCE));
        }

        #[test]
        fn anything_at_all_is_answered(start in 0..17usize, rest in prop::collection::vec(any::<u8>(), 0..5000)) {
            let bytes = [&proxy4(b"")[..start], &rest].concat();
            if let Ok(Progress::Needs(more)) = parse(&bytes) {
                prop_assert!(more > 0 && bytes.len() + more <= MAX_HEADER);
            }
        }
    }
}
