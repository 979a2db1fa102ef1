//! What wakes connections that wait for their peers: the end of the server, and now and then the time.
//!
//! A signal and a timer of its own would cost a connection several locks a request, for what happens once. Instead it
//! leaves its waker here once, and looks at two numbers from then on.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};
use parking_lot::Mutex;

/// How often the bell is rung for the time alone: timers are late by as much.
pub(super) const TICK: Duration = Duration::from_secs(5);

/// The bell of one server.
#[derive(Debug)]
pub(super) struct Bell {
    began: tokio::time::Instant,
    /// Milliseconds from the beginning to the last ring.
    rung_ms: AtomicU64,
    ending: AtomicBool,
    ended: AtomicBool,
    ears: Mutex<Ears>,
}

#[derive(Debug, Default)]
struct Ears {
    next: u64,
    wakers: HashMap<u64, Waker>,
}

impl Bell {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: tokio::time::Instant::now(),
            rung_ms: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            ears: Mutex::default(),
        })
    }

    /// Rings: whoever has an ear here wakes and looks.
    pub(super) fn ring(&self) {
        let elapsed_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.rung_ms.store(elapsed_ms, Ordering::Release);
        for waker in self.ears.lock().wakers.values() {
            waker.wake_by_ref();
        }
    }

    /// Rings for the end: what has begun is finished, nothing else is begun.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Release);
        self.ring();
    }

    /// Rings for the end of everything, finished or not.
    pub(super) fn drop_all(&self) {
        self.ended.store(true, Ordering::Release);
        self.ring();
    }

    /// Whether the end was rung for.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Whether nothing is to be finished any more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The time at the last ring.
    fn now(&self) -> Instant {
        let elapsed = Duration::from_millis(self.rung_ms.load(Ordering::Acquire));
        (self.began + elapsed).into_std()
    }
}

/// Wakes one task at each ring.
#[derive(Debug)]
pub(super) struct Ear {
    bell: Arc<Bell>,
    number: u64,
    waker: Option<Waker>,
}

impl Ear {
    /// An ear that wakes nobody before it first listens.
    pub(super) fn to(bell: &Arc<Bell>) -> Self {
        let mut ears = bell.ears.lock();
        ears.next += 1;
        Self {
            bell: Arc::clone(bell),
            number: ears.next,
            waker: None,
        }
    }

    /// Wakes the task of `context` at each ring from now on.
    pub(super) fn listen(&mut self, context: &mut Context<'_>) {
        let waker = context.waker();
        if !self.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
            self.waker = Some(waker.clone());
            let mut ears = self.bell.ears.lock();
            ears.wakers.insert(self.number, waker.clone());
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.bell.ears.lock().wakers.remove(&self.number);
    }
}

/// Timers that go off at a ring after their time, never before it, for tasks that have an ear. What they take for now is the
/// last ring.
#[derive(Clone, Debug)]
pub(super) struct Ticks(pub(super) Arc<Bell>);

impl Timer for Ticks {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let bell = Arc::clone(&self.0);
        let deadline = deadline + TICK;
        Box::pin(Until { bell, deadline })
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    /// Each request of a connection moves its timer on.
    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Until>() {
            Some(until) => until.get_mut().deadline = new_deadline + TICK,
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}

struct Until {
    bell: Arc<Bell>,
    deadline: Instant,
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.bell.now() < self.deadline {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl Sleep for Until {}
