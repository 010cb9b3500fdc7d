//! The clients: visitors with several sessions and tabs, who send again what was not answered, and
//! the shop's own server.
//!
//! Must not: judge answers; every one goes to the witness.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Client, Request, Response};
use crate::dice::Dice;
use crate::node::Addresses;
use crate::shop::{PAGES, SERVER_KEY, SITES, identity_token};
use crate::witness::{Answer, Call, What, Who, Witness};

/// How long a call is sent again and again before the test has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many of the newest people most calls are for, so that tabs and sessions race.
const NEWEST: usize = 12;
const MAX_SESSIONS: usize = 4;

/// Somebody who comes back.
struct Person {
    site: &'static str,
    customer: Option<(String, String)>,
    visitors: Vec<String>,
    sessions: Vec<Session>,
    crm: u64,
}

#[derive(Clone)]
struct Session {
    id: String,
    visitor: usize,
    /// The newest page views, to be sent once more: event and page.
    sent: VecDeque<(String, &'static str)>,
    /// The prompt it was given.
    decision: Option<String>,
    orders: u32,
}

/// What all clients share.
struct Shared {
    addresses: Addresses,
    witness: Arc<Witness>,
    people: Mutex<Vec<Person>>,
    is_over: AtomicBool,
}

/// Running clients.
pub struct Load {
    shared: Arc<Shared>,
    seed: u64,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts so many clients.
    pub fn start(addresses: &Addresses, witness: &Arc<Witness>, seed: u64, clients: usize) -> Self {
        let shared = Arc::new(Shared {
            addresses: addresses.clone(),
            witness: witness.clone(),
            people: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let clients = (0..clients)
            .map(|number| {
                let mut visitor = Visitor::new(&shared, seed, number);
                std::thread::spawn(move || {
                    while !visitor.shared.is_over.load(Ordering::Relaxed) {
                        visitor.act();
                    }
                })
            })
            .collect();
        Self { shared, seed, clients }
    }

    /// Lets every client finish its call.
    pub fn stop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client.join().expect("a client");
        }
    }

    /// Has people come back, each in all sessions and in a new one: whoever was forgotten is
    /// offered another prompt now.
    pub fn everybody_comes_back(&mut self) {
        let count = self.shared.people.lock().unwrap().len();
        let clients: Vec<_> = (0..4)
            .map(|number| {
                let mut visitor = Visitor::new(&self.shared, self.seed, 1_000 + number);
                std::thread::spawn(move || {
                    for person in (number..count).step_by(4) {
                        visitor.comes_back(person);
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().expect("a client"));
    }
}

/// One client.
struct Visitor {
    shared: Arc<Shared>,
    dice: Dice,
    number: usize,
    /// Two tabs.
    tabs: [Option<Client>; 2],
}

impl Visitor {
    fn new(shared: &Arc<Shared>, seed: u64, number: usize) -> Self {
        let dice = Dice::new(seed, u64::try_from(number).unwrap() + 1);
        Self { shared: shared.clone(), dice, number, tabs: [None, None] }
    }

    fn act(&mut self) {
        let person = self.person();
        let session = self.session(person);
        match self.dice.below(100) {
            0..45 => self.view(person, session),
            45..57 => self.view_again(person, session),
            57..67 => self.race(person, session),
            67..88 => self.outcome(person),
            88..91 => self.report(person, session, What::OtherPrompt),
            91..94 => self.report(person, session, What::OptOut),
            94..96 => self.report(person, session, What::Consent("denied")),
            96..97 => self.report(person, session, What::Consent("granted")),
            _ => self.crm(person),
        }
    }

    /// Mostly one of the newest; often somebody new.
    fn person(&mut self) -> usize {
        let mut people = self.shared.people.lock().unwrap();
        if people.is_empty() || self.dice.chance(12) {
            let customer = self.dice.chance(30).then(|| format!("customer-{}", self.dice.id()));
            people.push(Person {
                site: SITES[usize::from(self.dice.chance(20))],
                customer: customer.map(|id| (id.clone(), identity_token(&id))),
                visitors: (0..=self.dice.below(2)).map(|_| self.dice.id()).collect(),
                sessions: Vec::new(),
                crm: 0,
            });
            return people.len() - 1;
        }
        let count = people.len();
        let among = if self.dice.chance(75) { NEWEST.min(count) } else { count };
        count - 1 - self.dice.below(among)
    }

    /// One of the person's, or a new one.
    fn session(&mut self, person: usize) -> usize {
        let mut people = self.shared.people.lock().unwrap();
        let person = &mut people[person];
        let count = person.sessions.len();
        if count == 0 || (count < MAX_SESSIONS && self.dice.chance(25)) {
            person.sessions.push(Session {
                id: self.dice.id(),
                visitor: self.dice.below(person.visitors.len()),
                sent: VecDeque::new(),
                decision: None,
                orders: 0,
            });
            return count;
        }
        self.dice.below(count)
    }

    fn view(&mut self, person: usize, session: usize) {
        let page = *self.dice.pick(&PAGES);
        self.view_of(person, session, page);
    }

    fn view_of(&mut self, person: usize, session: usize, page: &'static str) {
        let event = self.dice.id();
        self.remember(person, session, &event, page);
        let call = self.call(person, session, What::Page(page), event);
        self.finish(person, session, call);
    }

    fn view_again(&mut self, person: usize, session: usize) {
        let sent = self.shared.people.lock().unwrap()[person].sessions[session].sent.clone();
        let Some((event, page)) = sent.get(self.dice.below(sent.len().max(1))) else { return };
        let call = self.call(person, session, What::Page(page), event.clone());
        self.finish(person, session, call);
    }

    /// Two tabs at the same moment: two page views, or one that is sent twice.
    fn race(&mut self, person: usize, session: usize) {
        let events = [self.dice.id(), self.dice.id()];
        let second = usize::from(self.dice.chance(60));
        let pages = [PAGES[0], if second == 1 { *self.dice.pick(&PAGES) } else { PAGES[0] }];
        let calls = [0, 1].map(|tab| {
            let event = &events[tab.min(second)];
            self.remember(person, session, event, pages[tab]);
            self.call(person, session, What::Page(pages[tab]), event.clone())
        });
        let requests = calls.clone().map(|call| self.request(&call, person));
        let sent = [0, 1].map(|tab| match self.tab(tab) {
            Ok(client) => client.send(&requests[tab]).is_ok(),
            Err(_) => false,
        });
        for (tab, call) in calls.into_iter().enumerate() {
            let response = match &mut self.tabs[tab] {
                Some(client) if sent[tab] => client.receive(),
                _ => Err(io::ErrorKind::NotConnected.into()),
            };
            match response {
                Ok(response) => {
                    let answer = understood(&call.what, &response);
                    self.done(person, session, call, answer);
                }
                Err(_) => {
                    self.tabs[tab] = None;
                    self.finish(person, session, call);
                }
            }
        }
    }

    /// Of a prompt that the person was given, in whichever session.
    fn outcome(&mut self, person: usize) {
        let (session, decision, order) = {
            let mut people = self.shared.people.lock().unwrap();
            let sessions = &mut people[person].sessions;
            let Some(session) = sessions.iter().position(|session| session.decision.is_some())
            else {
                return;
            };
            let Session { decision, orders, .. } = &mut sessions[session];
            *orders += 1;
            (session, decision.clone().unwrap(), *orders)
        };
        let kinds = ["prompt_shown", "prompt_accepted", "prompt_dismissed", "converted"];
        let kind = *self.dice.pick(&kinds);
        let order = (kind == "converted").then(|| format!("A-{order}"));
        self.report(person, session, What::Outcome { kind, decision, order });
    }

    fn report(&mut self, person: usize, session: usize, what: What) {
        let event = self.dice.id();
        let call = self.call(person, session, what, event);
        self.finish(person, session, call);
    }

    /// The shop's server says something of its customer, or asks.
    fn crm(&mut self, person: usize) {
        let number = {
            let mut people = self.shared.people.lock().unwrap();
            let person = &mut people[person];
            if person.customer.is_none() {
                return;
            }
            person.crm += 1;
            person.crm
        };
        let is_read = self.dice.chance(30);
        let what = if is_read { What::CrmRead } else { What::Crm(number) };
        self.report(person, 0, what);
    }

    fn comes_back(&mut self, person: usize) {
        let (sessions, has_crm) = {
            let mut people = self.shared.people.lock().unwrap();
            let person = &mut people[person];
            for visitor in 0..person.visitors.len() {
                person.sessions.push(Session {
                    id: self.dice.id(),
                    visitor,
                    sent: VecDeque::new(),
                    decision: None,
                    orders: 0,
                });
            }
            (person.sessions.len(), person.crm > 0)
        };
        for session in 0..sessions {
            let page = *self.dice.pick(&PAGES[..2]);
            self.view_of(person, session, page);
        }
        if has_crm {
            self.report(person, 0, What::CrmRead);
        }
    }

    fn remember(&self, person: usize, session: usize, event: &str, page: &'static str) {
        let mut people = self.shared.people.lock().unwrap();
        let sent = &mut people[person].sessions[session].sent;
        if sent.len() == 3 {
            sent.pop_front();
        }
        sent.push_back((event.to_owned(), page));
    }

    fn call(&self, person: usize, session: usize, what: What, event: String) -> Call {
        let people = self.shared.people.lock().unwrap();
        let person = &people[person];
        let session = &person.sessions[session];
        let who = Who {
            site: person.site,
            customer: person.customer.as_ref().map(|(id, _)| id.clone()),
            visitor: person.visitors[session.visitor].clone(),
            session: session.id.clone(),
        };
        let now = self.shared.witness.now();
        Call {
            who,
            what,
            event,
            sent: now,
            done: now,
            tries: 1,
            client: self.number,
            round: 0,
            answer: Answer::Lost,
        }
    }

    fn request(&self, call: &Call, person: usize) -> Request {
        let people = self.shared.people.lock().unwrap();
        let token = people[person].customer.as_ref().map(|(_, token)| token.as_str());
        let Call { who, what, event, .. } = call;
        let mut body = json!({
            "site": who.site, "session_id": who.session, "visitor_id": who.visitor,
            "identity_token": token,
        });
        let mut path = "/v1/events".to_owned();
        let mut method = "POST";
        let mut bearer = None;
        if !matches!(what, What::Page(_)) {
            body["id"] = event.as_str().into();
        }
        match what {
            What::Page(page) => {
                "/v1/decide".clone_into(&mut path);
                body["event"] = json!({ "type": "page_view", "id": event });
                body["page"] = json!({ "url": format!("https://shop.example{page}") });
            }
            What::OtherPrompt => {
                body["type"] = "prompt_shown".into();
                body["source"] = "other".into();
            }
            What::Outcome { kind, decision, order } => {
                body["type"] = (*kind).into();
                body["decision_id"] = decision.as_str().into();
                if let Some(order) = order {
                    body["order_id"] = order.as_str().into();
                    body["goal"] = "order".into();
                }
            }
            What::OptOut => body["type"] = "opt_out".into(),
            What::Consent(word) => {
                body["type"] = "consent".into();
                body["consent"] = (*word).into();
            }
            What::Crm(number) => {
                method = "PUT";
                body = json!({ "attributes": { "number": number } });
            }
            What::CrmRead => method = "GET",
        }
        if method != "POST" {
            let customer = who.customer.as_deref().unwrap_or_default();
            path = format!("/v1/sites/{}/visitors/{customer}", who.site);
            bearer = Some(SERVER_KEY);
        }
        Request {
            method,
            path,
            bearer,
            body: if method == "GET" { String::new() } else { body.to_string() },
        }
    }

    /// Sends a call until it is answered; now and then the page is closed first.
    fn finish(&mut self, person: usize, session: usize, mut call: Call) {
        let request = self.request(&call, person);
        let begun = Instant::now();
        let answer = loop {
            match self.tab(0).map(|client| client.call(&request)) {
                Ok(Ok(response)) => break understood(&call.what, &response),
                Ok(Err(_)) => {
                    // It died with this call under way.
                    self.tabs[0] = None;
                    if self.dice.chance(10) {
                        break Answer::Lost;
                    }
                    call.tries += 1;
                }
                // It is down: look again soon where it is now.
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
            assert!(begun.elapsed() < PATIENCE, "no answer for {PATIENCE:?}: {call}");
        };
        self.done(person, session, call, answer);
    }

    fn done(&self, person: usize, session: usize, mut call: Call, answer: Answer) {
        if answer.is_unavailable() {
            // Nobody turns a page faster only because there is nothing on it.
            std::thread::sleep(Duration::from_millis(5));
        }
        call.answer = answer;
        call.done = self.shared.witness.now();
        call.round = self.shared.witness.round();
        if let Some(decision) = call.shown() {
            let mut people = self.shared.people.lock().unwrap();
            people[person].sessions[session].decision = Some(decision.to_owned());
        }
        self.shared.witness.keep(call);
    }

    /// The connection of a tab, to any of the services.
    fn tab(&mut self, tab: usize) -> io::Result<&mut Client> {
        if self.tabs[tab].is_none() {
            let number = self.dice.below(self.shared.addresses.count());
            let address = self.shared.addresses.get(number).ok_or(io::ErrorKind::NotConnected)?;
            self.tabs[tab] = Some(Client::connect(&address)?);
        }
        self.tabs[tab].as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// What a response means to the witness.
fn understood(what: &What, response: &Response) -> Answer {
    let json = response.json();
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    match (what, response.status) {
        (_, 503) => Answer::NotNow,
        (What::Page(_), 200) => match (json["show"].as_bool(), text("reason"), text("decision_id"))
        {
            (Some(show), Some(reason), Some(decision)) => {
                Answer::Decided { show, reason, decision, rule: text("rule") }
            }
            _ => Answer::Wrong(response.body.clone()),
        },
        (What::Crm(_), 204) => Answer::Accepted,
        (What::CrmRead, 404) => Answer::Known(None),
        (What::CrmRead, 200) => Answer::Known(json["attributes"]["number"].as_u64()),
        (_, 202) if json["accepted"] == 1 => Answer::Accepted,
        (_, 202) => Answer::Rejected(json["rejected"][0]["detail"].to_string()),
        _ => Answer::Wrong(format!("{} {}", response.status, response.body)),
    }
}
