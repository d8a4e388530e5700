//! What Kubernetes sets in every pod for a service that is called `zegel`, or `zegel-` and something: `ZEGEL_SERVICE_HOST`,
//! `ZEGEL_PORT=tcp://…`. None of it is a key, and none of it may stop a pod.

use std::net::IpAddr;

/// Whether a variable, named here without `ZEGEL_`, is one of those. The value must be what Kubernetes writes, so that no
/// misspelt key passes for one: keys have two underscores behind their section, and these names never do.
pub fn is_service_variable(rest: &str, value: &str) -> bool {
    if rest.contains("__") {
        return false;
    }
    let words: Vec<&str> = rest.split('_').collect();
    let is_number = |text: &str| text.parse::<u16>().is_ok();
    let is_transport = |text: &str| ["TCP", "UDP", "SCTP"].contains(&text);
    match words.as_slice() {
        [.., "SERVICE", "HOST"] => value.parse::<IpAddr>().is_ok(),
        [.., "PORT", port, transport, "ADDR"] if is_number(port) && is_transport(transport) => {
            value.parse::<IpAddr>().is_ok()
        }
        [.., "PORT", port, transport, "PROTO"] if is_number(port) => transport.eq_ignore_ascii_case(value),
        [.., "PORT", port, transport, "PORT"] if is_transport(transport) => port == &value,
        [.., "PORT"] if is_url(value) => true,
        [.., "PORT", port, transport] if is_number(port) && is_transport(transport) => is_url(value),
        // SERVICE_PORT, or SERVICE_PORT_ and the name of the port.
        words => words.windows(2).any(|pair| pair == ["SERVICE", "PORT"]) && is_number(value),
    }
}

/// `tcp://10.0.0.1:25`
fn is_url(value: &str) -> bool {
    let rest = ["tcp://", "udp://", "sctp://"].iter().find_map(|scheme| value.strip_prefix(scheme));
    rest.and_then(|rest| rest.rsplit_once(':')).is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_sets_is_told_from_misspelt_keys() {
        for (name, value) in [
            ("PORT", "tcp://10.96.0.7:25"),
            ("SERVICE_HOST", "10.96.0.7"),
            ("SERVICE_HOST", "fd00::7"),
            ("SERVICE_PORT", "25"),
            ("SERVICE_PORT_SMTP", "25"),
            ("PORT_25_TCP", "tcp://10.96.0.7:25"),
            ("PORT_25_TCP_PROTO", "tcp"),
            ("PORT_25_TCP_PORT", "25"),
            ("PORT_25_TCP_ADDR", "10.96.0.7"),
            ("WEB_PORT", "tcp://[fd00::7]:8080"),
            ("WEB_SERVICE_PORT_HTTP_ALT", "8080"),
            ("SMTP_INTERNAL_PORT_25_TCP_ADDR", "10.96.0.7"),
        ] {
            assert!(is_service_variable(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("PORT", "25"),
            ("SMTP_PORT", "25"),
            ("SMTP__LISTN", "[\"10.0.0.1:25\"]"),
            ("SMTP__PORT", "tcp://10.96.0.7:25"),
            ("SMTP_LISTEN", "[\"10.0.0.1:25\"]"),
            ("SERVICE_HOST", "zegel"),
            ("PORT_25_TCP_PORT", "26"),
            ("HOSTNAME", "veilig.voorbeeld.nl"),
            ("", ""),
        ] {
            assert!(!is_service_variable(name, value), "{name}={value}");
        }
    }
}
