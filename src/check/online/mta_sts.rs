//! MTA-STS (RFC 8461): the record, the policy over HTTPS, and whether the two are about the mail servers of the domain.

use super::dns::{Dns, Names};
use super::http::{Target, get};
use super::records::{DOMAINS, answered, tag};
use crate::check::Findings;
use crate::check::certificates::covers;

/// RFC 8461: whether others must use TLS on their way to us.
pub async fn look(dns: &Dns, domain: &str, found: &mut Findings, seen: &mut Vec<String>) {
    let name = format!("_mta-sts.{domain}");
    let Some(all) = answered(dns.txt(&name).await, DOMAINS, "MTA-STS", found) else { return };
    let Some(mx) = answered(dns.mx(domain).await, DOMAINS, "MX", found) else { return };
    let records: Vec<&String> = all.iter().filter(|text| text.starts_with("v=STSv1")).collect();
    let record = match records.as_slice() {
        [] => {
            let reason = format!(
                "{DOMAINS}: {domain} has no MTA-STS: whoever stands in between can have answers sent in clear"
            );
            let remedy = format!(
                "{name}. IN TXT \"v=STSv1; id=1\", and a policy at https://mta-sts.{domain}/.well-known/mta-sts.txt"
            );
            return found.note(DOMAINS, reason, remedy);
        }
        [one] => one,
        _ => {
            return found.error(
                DOMAINS,
                format!("{DOMAINS}: {name} has several records, and so none"),
                "leave one of them",
            );
        }
    };
    if tag(record, "id").is_none_or(str::is_empty) {
        found.error(
            DOMAINS,
            format!("{DOMAINS}: {name} has no id: it counts for nothing"),
            format!("{name}. IN TXT \"v=STSv1; id=1\""),
        );
    }
    let host = format!("mta-sts.{domain}");
    let Some(addresses) = answered(dns.addresses(&host).await, DOMAINS, "MTA-STS", found) else { return };
    let path = "/.well-known/mta-sts.txt";
    let target = Target { is_https: true, host: &host, port: 443, path, addresses: Some(addresses) };
    let remedy = format!("serve the policy at https://{host}{path}, with a certificate for that name");
    let policy = match get(&target).await {
        Ok(answer) if answer.status == 200 => answer.body,
        Ok(answer) => {
            let reason =
                format!("{DOMAINS}: the MTA-STS policy of {domain} is not there: status {}", answer.status);
            return found.error(DOMAINS, reason, remedy);
        }
        Err(reason) => {
            let reason = format!("{DOMAINS}: the MTA-STS policy of {domain} cannot be fetched: {reason}");
            return found.error(DOMAINS, reason, remedy);
        }
    };
    let outside: Vec<&str> =
        mx.iter().map(|(_, host)| host.as_str()).filter(|host| !is_listed(&policy, host)).collect();
    match (field(&policy, "mode"), outside.as_slice()) {
        (Some("enforce" | "testing"), [first, ..]) => {
            let reason = format!(
                "{DOMAINS}: the MTA-STS policy of {domain} does not name its mail server {first}: mail to it is kept back"
            );
            found.error(DOMAINS, reason, format!("add to the policy: mx: {first}"));
        }
        (Some("enforce"), _) => seen.push(format!("MTA-STS of {domain} is enforced")),
        (Some("testing"), _) => {
            found.note(
                DOMAINS,
                format!("{DOMAINS}: MTA-STS of {domain} is in testing: nobody keeps to it"),
                "mode: enforce, with a new id in the record",
            );
        }
        (Some("none"), _) => found.note(
            DOMAINS,
            format!("{DOMAINS}: MTA-STS of {domain} is switched off"),
            "mode: enforce, with a new id in the record",
        ),
        _ => found.error(
            DOMAINS,
            format!("{DOMAINS}: the MTA-STS policy of {domain} has no mode"),
            "mode: testing",
        ),
    }
}

fn field<'t>(policy: &'t str, name: &str) -> Option<&'t str> {
    fields(policy, name).next()
}

fn fields<'t>(policy: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let name = name.to_owned();
    policy.lines().filter_map(move |line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then_some(value.trim())
    })
}

fn is_listed(policy: &str, host: &str) -> bool {
    fields(policy, "mx").any(|pattern| covers(&pattern.to_lowercase(), host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_policy_are_found() {
        let policy =
            "version: STSv1\r\nmode: enforce\r\nmx: mail.voorbeeld.nl\r\nmx: *.mx.example\r\nmax_age: 1\r\n";
        assert_eq!(field(policy, "mode"), Some("enforce"));
        assert!(is_listed(policy, "mail.voorbeeld.nl") && is_listed(policy, "a.mx.example"));
        assert!(!is_listed(policy, "mx.example") && !is_listed(policy, "a.b.mx.example"));
    }
}
