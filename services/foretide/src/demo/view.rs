//! Shows snapshots: a block that is drawn anew each second on a terminal, a line each second elsewhere.

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use foretide_runtime::CancellationToken;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::{
    Stage,
    watcher::{Snapshot, Watcher},
};
use crate::output::{Output, note};

const EVERY: Duration = Duration::from_secs(1);
/// Features shown of the example, where they have a value.
const FEATURES_SHOWN: [&str; 9] = [
    "engagement_1d",
    "engagement_trend_7d",
    "sessions_total",
    "session_product_views",
    "session_checkout_step",
    "cart_value",
    "coupons_denied_7d",
    "seconds_since_seen",
    "top_category_share",
];

/// Where snapshots are shown.
pub(super) struct View {
    output: Output,
    /// Draws on standard error; hidden where that is no terminal.
    block: ProgressBar,
}

impl View {
    /// Says what there is to look at.
    pub(super) fn new(output: Output, stage: &Stage, admin: SocketAddr) -> Self {
        let Stage {
            base,
            write_key,
            admin_key,
            ..
        } = stage;
        note(&format!(
            "Foretide is up, with pretend shoppers. Ctrl-C ends it and removes everything.\n\n\
             Look around from another terminal:\n  \
             curl -s -u {admin_key}: '{base}/v1/shoppers?user_id=shopper-0007'\n  \
             curl -s -u {admin_key}: {base}/v1/decisions -H 'content-type: application/json' \\\n    \
             -d '{{\"shopper\":{{\"user_id\":\"shopper-0007\"}}}}'\n  \
             curl -s -u {write_key}: {base}/v1/actions -H 'content-type: application/json' \\\n    \
             -d '{{\"type\":\"search\",\"query\":\"tent\",\"shopper\":{{\"user_id\":\"me\"}}}}'\n  \
             curl -s http://{admin}/readyz\n  \
             curl -s http://{admin}/metrics\n"
        ));
        let drawn = if output.json() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let block = ProgressBar::with_draw_target(None, drawn);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            block.set_style(style);
        }
        Self { output, block }
    }

    fn show(&self, snapshot: &Snapshot) -> std::io::Result<()> {
        if self.block.is_hidden() {
            return self.output.answer(snapshot, || line(snapshot));
        }
        self.block.set_message(block(snapshot));
        self.block.tick();
        Ok(())
    }
}

/// Shows what `watcher` sees each second until the process is to end, or for as long as `lasts`.
pub(super) async fn show(
    mut watcher: Watcher,
    view: View,
    lasts: Option<Duration>,
    soft: CancellationToken,
) -> anyhow::Result<()> {
    let end = lasts.map(|lasts| Instant::now() + lasts);
    let ended = async {
        match end {
            Some(end) => sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    let looking = async {
        let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let snapshot = watcher.look().await;
            if let Err(error) = view.show(&snapshot) {
                return anyhow::Error::from(error);
            }
        }
    };
    let outcome = tokio::select! {
        error = looking => Err(error),
        () = ended => Ok(()),
        () = soft.cancelled() => Ok(()),
    };
    view.block.abandon();
    outcome
}

fn offers(snapshot: &Snapshot) -> String {
    let parts: Vec<String> = snapshot
        .offers
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    if parts.is_empty() {
        "none yet".to_owned()
    } else {
        parts.join(", ")
    }
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

/// All on one line.
fn line(snapshot: &Snapshot) -> String {
    let Snapshot {
        seconds,
        events_per_second,
        accepted,
        rejected,
        shoppers,
        ..
    } = snapshot;
    let mut text = format!(
        "{seconds:>4} s  {events_per_second} events/s  {accepted} accepted, {rejected} rejected  {}  {shoppers} shoppers  \
         decisions: {}",
        fates(snapshot),
        offers(snapshot)
    );
    if let Some(example) = &snapshot.example {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "  {}: {}",
            name(&example.shopper),
            offer(&example.decision["offer"])
        );
    }
    text
}

/// The block for a terminal.
fn block(snapshot: &Snapshot) -> String {
    let Snapshot {
        seconds,
        events_per_second,
        accepted,
        rejected,
        shoppers,
        ..
    } = snapshot;
    let mut text = format!(
        "after {seconds} s\n  events     {events_per_second}/s   {accepted} accepted, {rejected} rejected\n  \
         fates      {}\n  shoppers   {shoppers}\n  decisions  {}\n",
        fates(snapshot),
        offers(snapshot)
    );
    if let Some(example) = &snapshot.example {
        let decision = &example.decision;
        let percent = |name: &str| decision["predictions"][name].as_f64().unwrap_or(0.0) * 100.0;
        let _ = write!(
            text,
            "\n  shopper {}\n    abandonment {:.0} %, drift {:.0} % (by {})\n    offer: {}\n",
            name(&example.shopper),
            percent("abandonment"),
            percent("drift"),
            decision["predictions"]["source"].as_str().unwrap_or("?"),
            offer(&decision["offer"])
        );
        for reason in decision["reasons"].as_array().into_iter().flatten().take(3) {
            let _ = writeln!(
                text,
                "    because: {}",
                reason["text"].as_str().unwrap_or_default()
            );
        }
        for (feature, value) in features(&example.profile) {
            let _ = write!(text, "\n    {feature:<24} {value}");
        }
    }
    text
}

fn name(shopper: &Value) -> &str {
    ["user_id", "anonymous_id"]
        .iter()
        .find_map(|kind| shopper[*kind].as_str())
        .unwrap_or("?")
}

/// What is offered, in a few words.
fn offer(offer: &Value) -> String {
    let Some(kind) = offer["kind"].as_str() else {
        return "nothing".to_owned();
    };
    let mut text = offer["id"].as_str().unwrap_or(kind).to_owned();
    let products: Vec<&str> = offer["products"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|p| p["product_id"].as_str())
        .take(4)
        .collect();
    if !products.is_empty() {
        let _ = write!(text, " ({})", products.join(", "));
    }
    text
}

/// The features shown, as text.
fn features(profile: &Value) -> impl Iterator<Item = (&'static str, String)> {
    FEATURES_SHOWN.into_iter().filter_map(|name| {
        let feature = &profile["features"][name];
        let unit = feature["unit"].as_str().unwrap_or_default();
        Some((name, format!("{:.2} {unit}", feature["value"].as_f64()?)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::watcher::Example, *};

    fn snapshot() -> Snapshot {
        Snapshot {
            seconds: 3,
            events_per_second: 25,
            accepted: 75,
            shoppers: 12,
            fates: json!({ "folded": 70, "duplicate": 0, "late": 0 }),
            offers: [("discount".to_owned(), 2)].into(),
            example: Some(Example {
                shopper: json!({ "user_id": "shopper-0007" }),
                decision: json!({
                    "predictions": { "drift": 0.2, "abandonment": 0.83, "source": "prior-1" },
                    "offer": { "id": "discount-10", "kind": "discount" },
                    "reasons": [{ "code": "rule", "text": "abandonment is above 0.7" }],
                }),
                profile: json!({ "features": {
                    "cart_value": { "value": 129.9, "unit": "money" }, "sessions_total": { "value": null, "unit": "count" },
                } }),
            }),
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_block_shows_the_offer_its_reason_and_the_features() {
        let text = block(&snapshot());
        for part in [
            "25/s",
            "70 folded",
            "shopper-0007",
            "83 %",
            "discount-10",
            "above 0.7",
            "129.90 money",
        ] {
            assert!(text.contains(part), "no {part} in:\n{text}");
        }
        assert!(
            !text.contains("sessions_total"),
            "a feature without a value is left out"
        );
    }

    #[test]
    fn a_line_is_one_line() {
        let text = line(&snapshot());
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("discount-10"));
    }

    #[test]
    fn nothing_yet_is_shown_as_such() {
        let text = line(&Snapshot::default());
        assert!(text.contains("none yet"), "{text}");
    }
}
