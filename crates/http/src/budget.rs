//! A bound on the memory that request bodies hold together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// How many bytes of bodies may be held at once. Clones share one budget.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<Account>);

#[derive(Debug)]
struct Account {
    limit_bytes: usize,
    held_bytes: AtomicUsize,
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub struct Lease {
    account: Arc<Account>,
    bytes: usize,
}

impl MemoryBudget {
    /// A budget of `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Self {
        Self(Arc::new(Account {
            limit_bytes,
            held_bytes: AtomicUsize::new(0),
        }))
    }

    /// The bytes held now.
    pub fn held_bytes(&self) -> usize {
        self.0.held_bytes.load(Ordering::Relaxed)
    }

    /// A lease of nothing, to grow.
    pub fn lease(&self) -> Lease {
        Lease {
            account: Arc::clone(&self.0),
            bytes: 0,
        }
    }
}

impl Lease {
    /// Grows to `bytes` in all, unless the budget does not allow it. It stays as it is where it has more.
    #[must_use]
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let Some(more) = bytes.checked_sub(self.bytes) else {
            return true;
        };
        let Account {
            limit_bytes,
            held_bytes,
        } = &*self.account;
        let granted = held_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(more).filter(|sum| sum <= limit_bytes)
        });
        if granted.is_ok() {
            self.bytes = bytes;
        }
        granted.is_ok()
    }

    /// Gives back what is beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        if let Some(less) = self.bytes.checked_sub(bytes) {
            self.account.held_bytes.fetch_sub(less, Ordering::Relaxed);
            self.bytes = bytes;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.account
            .held_bytes
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_share_the_budget_and_give_it_back() {
        let budget = MemoryBudget::new(100);
        let (mut one, mut two) = (budget.lease(), budget.lease());
        assert!(one.grow_to(60));
        assert!(two.grow_to(40));
        assert!(!two.grow_to(41));
        assert!(one.grow_to(10), "asking for less than it has is granted");
        assert_eq!(budget.held_bytes(), 100);
        one.shrink_to(20);
        assert_eq!(budget.held_bytes(), 60);
        drop(one);
        assert!(two.grow_to(100));
        drop(two);
        assert_eq!(budget.held_bytes(), 0);
    }
}
