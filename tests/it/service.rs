//! A service of small rule folders on a port of its own, in a thread of its own, by a clock that
//! stands still; and the few calls that most tests make of it.
//!
//! Must not: judge answers beyond their status.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use koekake::app::{self, Listeners};
use koekake::clock::{Clock, ManualClock};
use koekake::config::{self, Setting, Sources};
use koekake::domain::time::{Millis, Timestamp};
use koekake::reload::watch::Watch;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::client::{Client, Reply};

/// A Friday in Tokyo, in office hours.
pub const FRIDAY: &str = "2026-11-20T10:00:00+09:00";
/// A full admin token.
pub const ADMIN: &str = "admin-0123456789abcdef0123456789abcdef";

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A folder of this test's own, gone with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("koekake-it-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a service is made of.
pub struct Setup {
    folder: Folder,
    toml: String,
    flags: Vec<(Setting, String)>,
    environment: Vec<(String, String)>,
    at: Timestamp,
    watch: Watch,
}

/// One site, `shop`, with these settings and rules.
pub fn shop(site: &str, rules: &str) -> Setup {
    Setup::new().site("shop", site, rules)
}

impl Setup {
    /// Without any site, place database and rate limit.
    pub fn new() -> Self {
        Self {
            folder: Folder::new(),
            toml: String::new(),
            flags: Vec::new(),
            environment: Vec::new(),
            at: moment(FRIDAY),
            // Nothing is looked at that nobody told of.
            watch: Watch { has_events: true, poll: std::time::Duration::from_secs(3_600) },
        }
        .flag(Setting::Geoip, "none")
        .flag(Setting::Data, "none")
        .flag(Setting::RateLimit, "off")
        .flag(Setting::Workers, "2")
        .flag(Setting::Listen, "127.0.0.1:0")
        .flag(Setting::ShutdownTimeout, "5s")
        .flag(Setting::Data, "none")
    }

    /// The same in a folder of before, for a service that was stopped.
    pub fn again(folder: Folder) -> Self {
        Self { folder, ..Self::new() }
    }

    /// Lets it keep what must outlive it, in `data` beside the settings.
    pub fn keeping(self) -> Self {
        let data = self.folder.path("data").display().to_string();
        self.flag(Setting::Data, &data)
    }

    /// Adds a site: more of its `site.yaml`, and its rules.
    pub fn site(self, key: &str, site: &str, rules: &str) -> Self {
        let site = format!("name: {key}\norigins: [\"https://{key}.example\"]\n{site}\n");
        self.folder.write(&format!("rules/{key}/site.yaml"), &site);
        self.folder.write(&format!("rules/{key}/rules.yaml"), rules);
        self
    }

    /// Sets a setting, in place of what was set before.
    pub fn flag(mut self, setting: Setting, value: &str) -> Self {
        self.flags.retain(|(known, _)| *known != setting);
        self.flags.push((setting, value.to_owned()));
        self
    }

    /// Adds to the settings file.
    pub fn toml(mut self, text: &str) -> Self {
        self.toml.push_str(text);
        self.toml.push('\n');
        self
    }

    /// Lets [`ADMIN`] be the operators' token.
    pub fn admin(mut self) -> Self {
        self.environment.push(("KOEKAKE_ADMIN_TOKEN".to_owned(), ADMIN.to_owned()));
        self
    }

    /// Writes a file beside the settings.
    pub fn file(self, name: &str, text: &str) -> Self {
        self.folder.write(name, text);
        self
    }

    pub fn at(mut self, moment_: &str) -> Self {
        self.at = moment(moment_);
        self
    }

    /// The folder of its settings, with `rules` below.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Lets changes be noticed in that way.
    pub fn watch(mut self, watch: Watch) -> Self {
        self.watch = watch;
        self
    }

    pub fn start(self) -> Service {
        match self.try_start() {
            Ok(service) => service,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts it, or says what kept it from starting.
    pub fn try_start(mut self) -> Result<Service, String> {
        let rules = self.folder.0.join("rules").display().to_string();
        if !self.flags.iter().any(|(setting, _)| *setting == Setting::Rules) {
            self.flags.push((Setting::Rules, rules));
        }
        let sources = Sources {
            file: Some(self.folder.write("koekake.toml", &self.toml)),
            environment: self.environment.into_iter().map(|(n, v)| (n.into(), v.into())).collect(),
            flags: self.flags,
        };
        let config = config::load(sources).map_err(|error| error.to_string())?.config;
        let clock = Arc::new(ManualClock::new(self.at));
        let (started, ready) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let its_clock: Arc<dyn Clock> = clock.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            tokio::task::LocalSet::new().block_on(&runtime.unwrap(), async {
                let running = Listeners::bind(&config)
                    .and_then(|listeners| app::start(&config, its_clock, listeners, self.watch));
                match running {
                    Ok(running) => {
                        let token = running.made_token.clone();
                        started.send(Ok((running.address, running.admin_address, token))).unwrap();
                        let _ = stopped.await;
                        running.stop().await;
                    }
                    Err(error) => started.send(Err(error.to_string())).unwrap(),
                }
            });
        });
        let (address, admin_address, made_token) = ready.recv().unwrap()?;
        Ok(Service {
            address,
            admin_address,
            made_token,
            clock,
            client: Mutex::new(Client::connect(loopback(address))),
            stop: Some(stop),
            thread: Some(thread),
            folder: self.folder,
        })
    }
}

/// A running service.
pub struct Service {
    pub address: SocketAddr,
    pub admin_address: Option<SocketAddr>,
    pub made_token: Option<String>,
    clock: Arc<ManualClock>,
    client: Mutex<Client>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The folder of its settings, with `rules` below.
    pub folder: Folder,
}

impl Service {
    /// A connection of its own.
    pub fn connect(&self) -> Client {
        Client::connect(loopback(self.address))
    }

    /// Moves the clock on.
    pub fn wait(&self, by: Millis) {
        self.clock.advance(by);
    }

    /// Moves the clock on by a millisecond less.
    pub fn wait_almost(&self, by: Millis) {
        self.clock.advance(Millis(by.0 - 1));
    }

    pub fn set_time(&self, at: &str) {
        self.set(moment(at));
    }

    pub fn set(&self, at: Timestamp) {
        self.clock.set(at);
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A request of any kind.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.client.lock().unwrap().send(method, path, headers, body)
    }

    /// A call to decide about the site `shop`, whatever its answer.
    pub fn post(&self, body: &Value, headers: &[(&str, &str)]) -> Reply {
        self.send("POST", "/v1/decide", headers, body.to_string().as_bytes())
    }

    /// A call to decide in that session: a page view of `/` but for what `more` says.
    pub fn ask(&self, session: &str, more: Value) -> Value {
        self.ask_with(session, more, &[])
    }

    /// The same with headers.
    pub fn ask_with(&self, session: &str, more: Value, headers: &[(&str, &str)]) -> Value {
        let reply = self.post(&call(session, more), headers);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// A page view in that session: the reason.
    pub fn view(&self, session: &str, path: &str) -> String {
        reason(&self.ask(session, page(path)))
    }

    /// A page view by a known visitor: the reason.
    pub fn view_by(&self, session: &str, visitor: &str, path: &str) -> String {
        let mut more = page(path);
        more["visitor_id"] = id(visitor).into();
        reason(&self.ask(session, more))
    }

    /// Reports one event of that session: what became of it.
    pub fn report(&self, session: &str, event: Value) -> Value {
        self.report_all(&[whole(session, event)], &[])
    }

    /// Reports events as they are.
    pub fn report_all(&self, events: &[Value], headers: &[(&str, &str)]) -> Value {
        let body = Value::from(events).to_string();
        let reply = self.send("POST", "/v1/events", headers, body.as_bytes());
        assert_eq!(reply.status, 202, "{}", reply.text());
        reply.json()
    }

    /// The sum of a metric's series that have these labels.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let reply = self.client.lock().unwrap().get("/metrics", &[]);
        assert_eq!(reply.status, 200);
        let labels: Vec<_> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let lines = reply.text().lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label.as_str()))
        });
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// How often the site answered with that reason.
    pub fn decisions(&self, reason: &str) -> f64 {
        self.metric("koekake_decisions_total", &[("site", "shop"), ("reason", reason)])
    }

    /// How often prompts of the site came so far.
    pub fn prompts(&self, stage: &str) -> f64 {
        self.metric("koekake_prompts_total", &[("site", "shop"), ("stage", stage)])
    }

    pub fn sessions_started(&self) -> f64 {
        self.metric("koekake_sessions_started_total", &[("site", "shop")])
    }

    /// Stops it; its folder stays.
    pub fn stopped(mut self) -> Folder {
        self.begin_stop();
        self.thread.take().unwrap().join().unwrap();
        self.folder
    }

    /// A request of an operator: its answer.
    pub fn operate(&self, method: &str, path: &str) -> Value {
        let token = format!("Bearer {ADMIN}");
        let reply = self.send(method, path, &[("Authorization", &token)], b"");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// Where that site stands, as operators see it; null where there is no such site.
    pub fn standing(&self, site: &str) -> Value {
        let all = self.operate("GET", "/v1/rules");
        let mut sites = all["sites"].as_array().unwrap().iter();
        sites.find(|one| one["site"] == site).cloned().unwrap_or_default()
    }

    /// Begins to shut down, without waiting.
    pub fn begin_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Waits until it has ended.
    pub fn ended(mut self) {
        self.begin_stop();
        self.thread.take().unwrap().join().unwrap();
    }
}

/// An address of all interfaces, reached by loopback.
pub fn loopback(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

pub fn moment(text: &str) -> Timestamp {
    Timestamp(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
}

/// A session's or visitor's id that is long enough.
pub fn id(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{name:_<32}")
}

/// The part of a call that says which page of the shop it is on.
pub fn page(path: &str) -> Value {
    json!({ "page": { "url": format!("https://shop.example{path}") } })
}

/// A whole body of a call in that session.
pub fn call(session: &str, more: Value) -> Value {
    let mut body = json!({
        "site": "shop", "session_id": id(session), "page": { "url": "https://shop.example/" },
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// A whole event of that session, with an id of its own unless it has one.
pub fn whole(session: &str, event: Value) -> Value {
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut all = json!({ "site": "shop", "session_id": id(session), "id": format!("e{number}") });
    for (name, value) in event.as_object().unwrap() {
        all[name] = value.clone();
    }
    all
}

/// Looks until that holds.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "not seen: {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

pub fn reason(answer: &Value) -> String {
    answer["reason"].as_str().unwrap().to_owned()
}

/// A rule without an end: its id, and what else it says, in YAML's flow style.
pub fn rule(id: &str, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    format!("  - {{ id: {id}, prompt: {{ message: Hello from {id} }}{more} }}\n")
}

/// A file of rules.
pub fn rules<S: AsRef<str>>(all: impl IntoIterator<Item = S>) -> String {
    all.into_iter().fold("rules:\n".to_owned(), |text, rule| text + rule.as_ref())
}

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
