//! What it costs that there are a hundred organisations, beside one: nothing.

use crate::Plan;
use crate::load::Mails;
use crate::pages;
use crate::party::{Party, Run, in_turn, middle};
use crate::peers::{Source, Zegel};
use crate::report::{Line, Section};
use crate::sealed;
use crate::sink::Sink;
use crate::support::gateway::Site;
use crate::transfer::Transfer;

const ORGANISATIONS: usize = 100;
/// Within what two runs of the same differ.
const SAME: f64 = 0.03;

/// `ZEGEL_ORGANISATION`: the one that the site has, and the others.
fn several(public_url: &str) -> String {
    let others = (1..ORGANISATIONS).map(|number| {
        format!(
            "{{ name = \"Gemeente {number}\", domains = [\"g{number}.example\", \"www.g{number}.example\"], \
             public_url = \"https://veilig.g{number}.example\" }}"
        )
    });
    let first = format!(
        "{{ name = \"Gemeente Voorbeeld\", domains = [\"voorbeeld.nl\"], public_url = \"{public_url}\" }}"
    );
    let all: Vec<String> = std::iter::once(first).chain(others).collect();
    format!("[{}]", all.join(", "))
}

/// The row.
pub fn row(plan: &Plan, name: &str) -> Section {
    let mut lines =
        mail(plan, "ordinary 1 KiB, 50 sessions kept", |zegel, sink| Party::zegel(zegel, sink), {
            Source { own: false, sessions: 50, size: 1 << 10, subject: "gewone post", kept: true }
        });
    lines.extend(mail(plan, "sealed 10 KiB, 10 sessions", |zegel, sink| Party::sealing(zegel, sink), {
        Source { own: false, sessions: 10, size: 10 << 10, subject: sealed::SUBJECT, kept: false }
    }));
    lines.push(unlock_page(plan));
    let how = format!("{ORGANISATIONS} organisations beside one; the same mail of the first of them.");
    Section { name: name.into(), how, lines }
}

type Through = for<'a> fn(&'a Zegel, &'a Sink) -> Party<'a>;

fn mail(plan: &Plan, what: &str, through: Through, source: Source) -> Vec<Line> {
    let sinks = [Sink::start(), Sink::start()];
    let one = Zegel::start(sinks[0].address, &[]);
    let site = Site::new(sinks[1].address, "");
    let organisations = several(&site.public_url());
    let hundred = Zegel::at(site.into(), &[("ORGANISATION", &organisations)]);
    let runs = in_turn(plan, &[through(&one, &sinks[0]), through(&hundred, &sinks[1])], &source);
    let [rate, cpu]: [fn(&Run) -> f64; 2] = [|run| run.arrived, |run| run.cpu];
    let of = |place: usize, figure| middle(&runs[place], figure);
    vec![
        Line::at_least(what, "mails/s", of(1, rate), ("one", of(0, rate)), 1.0 - SAME),
        Line::at_most("CPU for 1000 of them", "s", of(1, cpu), ("one", of(0, cpu)), 1.0 + SAME),
    ]
}

fn unlock_page(plan: &Plan) -> Line {
    let small = Mails::new(sealed::SUBJECT, 1 << 10).one(1);
    let one = Transfer::of(&small, None, &[]);
    let hundred = Transfer::among(&small, several);
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds {
        for (transfer, rates) in [&one, &hundred].into_iter().zip(&mut rates) {
            rates.push(pages::rate_of_unlock_page(plan, transfer));
        }
    }
    let [one, hundred] = rates.each_ref().map(|rates| crate::measure::median(rates));
    Line::at_least("unlock page", "requests/s", hundred, ("one", one), 1.0 - SAME)
}
