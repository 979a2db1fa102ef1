//! Snapshots in words: a block for a terminal of eighty columns or more, or one line.

use std::fmt::Write as _;

use foretide_simulator::{EffectSum, Moment};
use serde_json::Value;

use super::{
    learnt::{Figure, Learnt, Model},
    sight::Drift,
    watcher::{Example, Snapshot},
};

/// No line of a block is longer than this.
const COLUMNS: usize = 79;
/// Features shown of the example, where they have a value.
const FEATURES_SHOWN: [&str; 8] = [
    "engagement_1d",
    "engagement_trend_7d",
    "sessions_total",
    "session_product_views",
    "cart_value",
    "coupons_denied_7d",
    "seconds_since_seen",
    "top_category_share",
];

/// The block for a terminal.
pub(super) fn block(snapshot: &Snapshot) -> String {
    let mut text = format!(
        "{} in the shop, {} times as fast; {} s so far\n\n",
        shop_time(snapshot),
        snapshot.speed,
        snapshot.seconds
    );
    let events = format!(
        "{}/s; {} accepted, {} rejected",
        snapshot.events_per_second, snapshot.accepted, snapshot.rejected
    );
    let past = match snapshot.phase.told() {
        "" => fates(snapshot),
        told => format!("{} ({told})", fates(snapshot)),
    };
    let shoppers = format!(
        "{} known; in the shop now: {}",
        snapshot.shoppers,
        inside(snapshot)
    );
    for (name, value) in [
        ("events", events),
        ("fates", past),
        ("shoppers", shoppers),
        ("drift", drift(snapshot.drift)),
        ("prices", prices(snapshot)),
        ("cohorts", cohorts(&snapshot.learnt)),
        ("moved", moves(&snapshot.learnt)),
        ("models", models(&snapshot.learnt)),
        ("decisions", decisions(snapshot)),
    ] {
        wrap(&format!("  {name:<11}"), &value, &mut text);
    }
    effects(snapshot, &mut text);
    if let Some(example) = &snapshot.example {
        tell(example, &mut text);
    }
    text
}

/// All on one line.
pub(super) fn line(snapshot: &Snapshot) -> String {
    let mut text = format!(
        "{:>4} s ({})  {} events/s  {} accepted, {} rejected, {}  {} shoppers  cohorts: {}  moved: {}  models: {}  \
         decisions: {}  drift: {}",
        snapshot.seconds,
        shop_time(snapshot),
        snapshot.events_per_second,
        snapshot.accepted,
        snapshot.rejected,
        fates(snapshot),
        snapshot.shoppers,
        cohorts(&snapshot.learnt),
        moves(&snapshot.learnt),
        models(&snapshot.learnt),
        decisions(snapshot),
        drift(snapshot.drift),
    );
    for (kind, sum) in &snapshot.effects {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "  {kind}: {} shown, {} buy, {} would have without",
            sum.shown, sum.bought, sum.would_have_bought
        );
    }
    if let Some(example) = &snapshot.example {
        let _ = write!(
            text,
            "  {}: {}",
            name(&example.shopper),
            offer(&example.decision["offer"])
        );
    }
    text
}

/// Adds `value` after `label`, in as many lines as it takes, all but the first indented.
fn wrap(label: &str, value: &str, text: &mut String) {
    let indent = label.chars().count();
    text.push_str(label);
    let mut column = indent;
    for word in value.split_whitespace() {
        let wide = word.chars().count();
        if column > indent && column + 1 + wide > COLUMNS {
            let _ = write!(text, "\n{:indent$}", "");
            column = indent;
        } else if column > indent {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += wide;
    }
    text.push('\n');
}

/// Counts with their names, or what to say where there are none.
fn counts<'a>(counts: impl Iterator<Item = (&'a str, u64)>, none: &str) -> String {
    let parts: Vec<String> = counts
        .map(|(name, count)| format!("{count} {}", name.replace('_', " ")))
        .collect();
    if parts.is_empty() {
        none.to_owned()
    } else {
        parts.join(", ")
    }
}

fn offers(snapshot: &Snapshot) -> String {
    let offers = snapshot.offers.iter();
    counts(
        offers.map(|(kind, &count)| (kind.as_str(), count)),
        "none yet",
    )
}

fn decisions(snapshot: &Snapshot) -> String {
    format!(
        "{}; {} by trained models",
        offers(snapshot),
        snapshot.by_models
    )
}

/// Each cohort with its size, the largest first.
fn cohorts(learnt: &Learnt) -> String {
    let sizes = learnt.cohorts.iter();
    let sizes: Vec<_> = sizes
        .map(|cohort| format!("{} ({}) {}", cohort.name, cohort.id, cohort.size))
        .collect();
    if sizes.is_empty() {
        "none has formed yet".to_owned()
    } else {
        sizes.join("; ")
    }
}

/// How many moved, and between which two the most.
fn moves(learnt: &Learnt) -> String {
    let all: u64 = learnt.moves.iter().map(|one| one.shoppers).sum();
    let Some(most) = learnt.moves.first() else {
        return "nobody yet".to_owned();
    };
    format!(
        "{all} times; most ({}) from {} to {}",
        most.shoppers,
        learnt.name(&most.from),
        learnt.name(&most.to)
    )
}

/// The model of each target with its held-out figures.
fn models(learnt: &Learnt) -> String {
    let told: Vec<_> = learnt.models.iter().map(model).collect();
    if told.is_empty() {
        "none yet: the prior predicts".to_owned()
    } else {
        told.join("; ")
    }
}

fn model(model: &Model) -> String {
    let place = if model.is_serving {
        "promoted"
    } else {
        "on trial beside the prior"
    };
    let mut text = format!("{} {place}", model.version);
    if let Some(Figure { value, low, high }) = model.auc {
        // Writing to a string cannot fail, here and below.
        let _ = write!(text, ", held-out AUC {value:.2} ({low:.2} to {high:.2})");
    }
    if let Some(error) = model.calibration_error {
        let _ = write!(text, ", calibration error {:.3}", error.value);
    }
    text
}

fn inside(snapshot: &Snapshot) -> String {
    let inside = snapshot.inside.iter();
    counts(inside.map(|(&name, &count)| (name, count as u64)), "nobody")
}

fn fates(snapshot: &Snapshot) -> String {
    let count = |name: &str| snapshot.fates[name].as_u64().unwrap_or(0);
    format!(
        "{} folded, {} duplicate, {} late",
        count("folded"),
        count("duplicate"),
        count("late")
    )
}

fn drift(
    Drift {
        drifting,
        seen,
        engaged,
        mistaken,
    }: Drift,
) -> String {
    format!(
        "{seen} of {drifting} drifting seen, {mistaken} of {engaged} engaged mistaken for drifting"
    )
}

fn prices(snapshot: &Snapshot) -> String {
    let mut text = format!("{} products reduced", snapshot.reduced);
    if let Some(change) = &snapshot.price_change {
        let euros = |cents: i64| cents as f64 / 100.0;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "; {} went from {:.2} to {:.2} EUR",
            change.product_id,
            euros(change.from_cents),
            euros(change.to_cents)
        );
    }
    text
}

/// What the offers truly did, as a table.
fn effects(snapshot: &Snapshot, text: &mut String) {
    text.push_str("\nWhat the offers truly did (the same visits were played without them, too):\n");
    if snapshot.effects.is_empty() {
        text.push_str("  none was shown yet\n");
        return;
    }
    let _ = writeln!(
        text,
        "  {:<16}{:>7}{:>8}{:>12}{:>20}{:>13}",
        "", "shown", "bought", "without it", "expected", "revenue"
    );
    for (kind, sum) in &snapshot.effects {
        let _ = writeln!(text, "  {kind:<16}{}", row(sum));
        if sum.won_back > 0 {
            let _ = writeln!(text, "  {:<16}{:>7} drifting won back", "", sum.won_back);
        }
    }
}

fn row(sum: &EffectSum) -> String {
    let expected = format!("{:.1} not {:.1}", sum.expected, sum.expected_without);
    let euros = (sum.revenue_cents - sum.revenue_without_cents) as f64 / 100.0;
    let revenue = format!("{euros:+.0} EUR");
    format!(
        "{:>7}{:>8}{:>12}{expected:>20}{revenue:>13}",
        sum.shown, sum.bought, sum.would_have_bought
    )
}

/// The day and hour that the shop's clock shows.
fn shop_time(snapshot: &Snapshot) -> String {
    snapshot
        .shop_time
        .to_string()
        .replace('T', " ")
        .chars()
        .take(16)
        .collect()
}

/// One offer: to whom, why, what it does, and the features behind it.
fn tell(example: &Example, text: &mut String) {
    let decision = &example.decision;
    let percent = |name: &str| decision["predictions"][name].as_f64().unwrap_or(0.0) * 100.0;
    let (with, without) = (example.effect.with, example.effect.without);
    let place = match example.moment {
        Moment::Landing => "on the first page",
        Moment::Cart => "over a cart",
    };
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\n{} {place} ({} in truth)\n",
        name(&example.shopper),
        example.temperament.as_str().replace('_', " "),
    );
    let predicted = format!(
        "abandonment {:.0} %, drift {:.0} % (by {})",
        percent("abandonment"),
        percent("drift"),
        decision["predictions"]["source"].as_str().unwrap_or("?"),
    );
    wrap("  predicted  ", &predicted, text);
    let cohort = format!(
        "{} ({})",
        decision["cohort"]["name"].as_str().unwrap_or("?"),
        decision["cohort"]["id"].as_str().unwrap_or("?")
    );
    wrap("  cohort     ", &cohort, text);
    wrap("  offered    ", &offer(&decision["offer"]), text);
    for reason in decision["reasons"].as_array().into_iter().flatten().take(2) {
        let because = reason["text"].as_str().unwrap_or_default();
        wrap("  because    ", because, text);
    }
    let back = if with.won_back && !without.won_back {
        "; won back"
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "  in truth   buys with {:.0} %, without the offer with {:.0} %{back}\n",
        with.probability * 100.0,
        without.probability * 100.0,
    );
    features(&example.profile, text);
}

fn name(shopper: &Value) -> &str {
    ["user_id", "anonymous_id"]
        .iter()
        .find_map(|kind| shopper[*kind].as_str())
        .unwrap_or("?")
}

/// What is offered, in a few words.
fn offer(offer: &Value) -> String {
    let Some(id) = offer["id"].as_str() else {
        return "nothing".to_owned();
    };
    let mut text = id.to_owned();
    let of = |name: &str| offer[name].as_str().unwrap_or("?");
    if offer["kind"] == "discount" {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            ": {} {} off {}",
            of("amount"),
            of("currency"),
            of("cart_total")
        );
    }
    let products: Vec<&str> = offer["products"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|p| p["product_id"].as_str())
        .take(4)
        .collect();
    if !products.is_empty() {
        let _ = write!(text, ": {}, …", products.join(", "));
    }
    text
}

/// The features shown, two to a line.
fn features(profile: &Value, text: &mut String) {
    let shown: Vec<String> = FEATURES_SHOWN
        .into_iter()
        .filter_map(|name| {
            let value = profile["features"][name]["value"].as_f64()?;
            Some(format!("{name:<22}{value:>11.2}"))
        })
        .collect();
    for pair in shown.chunks(2) {
        let _ = writeln!(text, "  {}", pair.join("     "));
    }
}

#[cfg(test)]
mod tests;
