//! The memory of all that was ever asked and answered, outside the process that is tried.
//!
//! Must not: judge.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Who is asked for: one human being.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    pub site: &'static str,
    /// Who the visitor is to the site, told by a token in every call of that person.
    pub customer: Option<String>,
    pub visitor: String,
    pub session: String,
}

/// What a call was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A page view that asks for an answer.
    Page(&'static str),
    /// The prompt of another tool came up.
    OtherPrompt,
    /// What became of a prompt; of a conversion its order.
    Outcome {
        kind: &'static str,
        decision: String,
        order: Option<String>,
    },
    OptOut,
    Consent(&'static str),
    /// What the shop's server knows of its customer: a number that grows.
    Crm(u64),
    /// What is stored of the customer.
    CrmRead,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Decided {
        show: bool,
        reason: String,
        decision: String,
        rule: Option<String>,
    },
    /// A report was taken.
    Accepted,
    /// A report was refused, for this reason.
    Rejected(String),
    /// What the CRM last said, as the service knows it.
    Known(Option<u64>),
    /// 503: not now.
    NotNow,
    /// What no call here should get.
    Wrong(String),
    /// The connection broke each time, and the page was closed.
    Lost,
}

impl Answer {
    /// Whether the service could not know.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::NotNow => true,
            Self::Decided { reason, .. } => reason == "unavailable",
            _ => false,
        }
    }
}

/// One call, until it was answered or given up.
#[derive(Debug, Clone)]
pub struct Call {
    pub who: Who,
    pub what: What,
    /// The event's id.
    pub event: String,
    /// Since the beginning of the test: first sent, and done with.
    pub sent: Duration,
    pub done: Duration,
    /// How often it had to be sent.
    pub tries: u32,
    pub client: usize,
    /// During which round it was done.
    pub round: u64,
    pub answer: Answer,
}

impl Call {
    /// The decision of a prompt.
    pub fn shown(&self) -> Option<&str> {
        match &self.answer {
            Answer::Decided { show: true, decision, .. } => Some(decision),
            _ => None,
        }
    }

    pub fn is_accepted(&self) -> bool {
        self.answer == Answer::Accepted
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, what, event, sent, done, tries, client, round, answer } = self;
        write!(
            f,
            "round {round:>3} {:>9.3}–{:<9.3} client {client} session …{} visitor …{} event …{} \
             {what:?}, sent {tries}x: {answer:?}",
            sent.as_secs_f64(),
            done.as_secs_f64(),
            tail(&who.session),
            tail(&who.visitor),
            tail(event),
        )
    }
}

fn tail(id: &str) -> &str {
    &id[id.len().saturating_sub(6)..]
}

/// Keeps every call.
pub struct Witness {
    begun: Instant,
    calls: Mutex<Vec<Call>>,
    count: AtomicU64,
    round: AtomicU64,
}

impl Witness {
    pub fn new() -> Self {
        Self {
            begun: Instant::now(),
            calls: Mutex::default(),
            count: AtomicU64::new(0),
            round: AtomicU64::new(0),
        }
    }

    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    pub fn keep(&self, call: Call) {
        self.calls.lock().unwrap().push(call);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many calls were done with.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub fn round(&self) -> u64 {
        self.round.load(Ordering::Relaxed)
    }

    pub fn next_round(&self) -> u64 {
        self.round.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether anybody who first asked after that moment was given a prompt.
    pub fn is_prompted_since(&self, moment: Duration) -> bool {
        let calls = self.calls.lock().unwrap();
        let since = calls.iter().rev().take_while(|call| call.done >= moment);
        since.filter(|call| call.sent >= moment).any(|call| call.shown().is_some())
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}
