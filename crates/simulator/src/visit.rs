//! A visit under way: its plan, its cart, and what has been done so far.

use std::collections::VecDeque;

use crate::{
    plan::{Act, Beat},
    shopper::Shopper,
};

/// A line of a cart: a number into the shop's articles, and how many pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) article: usize,
    pub(crate) quantity: u32,
}

/// A visit under way.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) shopper: Shopper,
    /// Number among the regulars, for those who are.
    pub(crate) regular: Option<usize>,
    pub(crate) session: String,
    pub(crate) cart: Vec<Line>,
    beats: VecDeque<Beat>,
}

impl Visit {
    pub(crate) fn new(
        shopper: Shopper,
        regular: Option<usize>,
        session: String,
        beats: Vec<Beat>,
    ) -> Self {
        Self {
            shopper,
            regular,
            session,
            cart: Vec::new(),
            beats: beats.into(),
        }
    }

    /// How long until the next act, in milliseconds; `None` once all is done.
    pub(crate) fn next_pause_ms(&self) -> Option<i64> {
        self.beats.front().map(|beat| beat.pause_ms)
    }

    /// Takes the next act off the plan.
    pub(crate) fn next_beat(&mut self) -> Option<Beat> {
        self.beats.pop_front()
    }

    /// Brings the cart up to `act`.
    pub(crate) fn settle(&mut self, act: Act) {
        match act {
            Act::AddToCart { article, quantity } => self.cart.push(Line { article, quantity }),
            Act::TakeOutLast => {
                self.cart.pop();
            }
            Act::Buy => self.cart.clear(),
            _ => {}
        }
    }
}
