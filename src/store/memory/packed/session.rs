//! What a session itself knows, as bytes: first what nearly every session has, then, by flags,
//! what only some have.
//!
//! Must not: leave out anything; what is read is equal to what was written.

use std::sync::Arc;

use super::bytes::{Reader, Writer};
use super::{Flag, Flags, PackedError};
use crate::domain::history::{History, Offer, RuleOffers, SessionMark};
use crate::domain::ids::{PageId, SiteKey, VisitorId, VisitorKey};
use crate::domain::money::{Amount, Currency, Money};
use crate::domain::page_url::PageUrl;
use crate::domain::session::{Session, Utm, View};
use crate::domain::time::Timestamp;
use crate::domain::visit::{AttributeValue, Attributes, Cart, Consent, Profile};

/// Which parts there are, but for the store's own.
pub(super) fn flags_of(session: &Session) -> Flags {
    let mut flags = Flags::default();
    for (flag, is_set) in [
        (Flag::Granted, session.consent == Some(Consent::Granted)),
        (Flag::Denied, session.consent == Some(Consent::Denied)),
        (Flag::BucketedByVisitor, session.is_bucketed_by_visitor),
        (Flag::HeldOut, session.is_held_out),
        (Flag::Landing, session.landing_page.is_some()),
        (Flag::Referrer, session.referrer.is_some()),
        (Flag::Utm, session.utm.is_some()),
        (Flag::Cart, session.cart.is_some()),
        (Flag::Profile, session.profile != Profile::default()),
        (Flag::Events, !session.events.is_empty()),
        (Flag::Views, !session.views.is_empty()),
        (Flag::Shadows, !session.shadows.is_empty()),
        (Flag::Own, is_more_than_a_count(&session.own)),
    ] {
        flags.set(flag, is_set);
    }
    flags
}

fn is_more_than_a_count(history: &History) -> bool {
    *history != History { sessions: history.sessions, ..History::default() }
}

impl<'a> Writer<'a> {
    /// All but what stands in the head: consent, last activity, and what is a flag alone.
    pub(super) fn session(&mut self, session: &'a Session, flags: Flags) {
        self.time(session.clock);
        self.number(session.page_views.into());
        self.number(session.offers.into());
        self.number(session.own.sessions.into());
        for url in [&session.landing_page, &session.referrer].into_iter().flatten() {
            self.url(url);
        }
        self.size(session.visited.len());
        session.visited.iter().for_each(|url| self.url(url));
        self.size(session.visitors.len());
        session.visitors.iter().for_each(|visitor| self.visitor(&visitor.id));
        if let Some(utm) = &session.utm {
            let Utm { source, medium, campaign, term, content } = &**utm;
            self.maybe_texts(&[source, medium, campaign, term, content]);
        }
        if let Some(cart) = &session.cart {
            self.cart(*cart);
        }
        if flags.has(Flag::Profile) {
            self.profile(&session.profile);
        }
        if flags.has(Flag::Events) {
            self.size(session.events.len());
            for (name, count) in &session.events {
                self.text(name);
                self.number((*count).into());
            }
        }
        if flags.has(Flag::Views) {
            self.size(session.views.len());
            for View { id, url, started_at } in &session.views {
                self.text(id);
                self.url(url);
                self.time(*started_at);
            }
        }
        if flags.has(Flag::Shadows) {
            self.texts(session.shadows.iter().map(|rule| &**rule));
        }
        if flags.has(Flag::Own) {
            self.own(&session.own);
        }
    }

    fn url(&mut self, url: &'a PageUrl) {
        let known = self.urls.iter().position(|known| *known == url);
        self.size(known.unwrap_or(self.urls.len()));
        if known.is_none() {
            self.urls.push(url);
        }
    }

    fn maybe_texts(&mut self, texts: &[&Option<Arc<str>>]) {
        self.presence(&texts.iter().map(|text| text.is_some()).collect::<Vec<_>>());
        texts.iter().copied().flatten().for_each(|text| self.text(text));
    }

    pub(super) fn page_id(&mut self, id: &PageId) {
        match id.bits() {
            Some(bits) => {
                self.byte(0);
                self.bytes(&bits);
            }
            None => {
                self.byte(1);
                self.text(&id.to_string());
            }
        }
    }

    fn visitor(&mut self, id: &VisitorId) {
        match id {
            VisitorId::Page(id) => self.page_id(id),
            VisitorId::Identity(name) => {
                self.byte(2);
                self.text(name);
            }
        }
    }

    fn cart(&mut self, Cart { value, items }: Cart) {
        let currency = value.and_then(|money| money.currency);
        self.presence(&[value.is_some(), currency.is_some(), items.is_some()]);
        if let Some(Money { amount: Amount(amount), .. }) = value {
            self.signed(amount);
        }
        if let Some(currency) = currency {
            self.bytes(currency.as_str().as_bytes());
        }
        if let Some(items) = items {
            self.number(items.into());
        }
    }

    fn profile(&mut self, Profile { name, language, time_zone, attributes }: &Profile) {
        let parts = [name.is_some(), language.is_some(), time_zone.is_some()];
        let [has_name, has_language, has_zone] = parts;
        self.presence(&[has_name, has_language, has_zone, !attributes.0.is_empty()]);
        [name, language].into_iter().flatten().for_each(|text| self.text(text));
        if let Some(zone) = time_zone {
            self.text(zone.name());
        }
        if !attributes.0.is_empty() {
            self.attributes(attributes);
        }
    }

    fn attributes(&mut self, Attributes(attributes): &Attributes) {
        self.size(attributes.len());
        for (name, value) in attributes {
            self.text(name);
            match value {
                AttributeValue::Text(text) => {
                    self.byte(0);
                    self.text(text);
                }
                AttributeValue::Number(number) => {
                    self.byte(1);
                    self.bytes(&number.to_le_bytes());
                }
                AttributeValue::Flag(flag) => self.byte(2 + u8::from(*flag)),
                AttributeValue::List(texts) => {
                    self.byte(4);
                    self.texts(texts.iter().map(|text| &**text));
                }
            }
        }
    }

    /// A history but for its count of sessions.
    fn own(&mut self, own: &History) {
        let moments = [own.last_dismissal, own.last_acceptance, own.last_chat];
        let [dismissal, acceptance, chat] = moments.map(|at| at.is_some());
        self.presence(&[dismissal, acceptance, chat, own.is_opted_out, own.crm.is_some()]);
        moments.into_iter().flatten().for_each(|at| self.time(at));
        self.size(own.offers.len());
        for Offer { session, at, is_prompt } in &own.offers {
            self.presence(&[*is_prompt]);
            self.bytes(&session.id.to_le_bytes());
            self.time(session.started_at);
            self.time(*at);
        }
        self.size(own.rules.len());
        for RuleOffers { rule, last_at } in &own.rules {
            self.text(rule);
            self.time(*last_at);
        }
        if let Some(crm) = &own.crm {
            self.attributes(crm);
        }
    }
}

impl Reader<'_> {
    /// A session that was last active then. Times are read against [`Reader::origin`], its start.
    pub(super) fn session(
        &mut self,
        site: &SiteKey,
        flags: Flags,
        last_active_at: Timestamp,
        urls: &[PageUrl],
    ) -> Result<Session, PackedError> {
        Ok(Session {
            started_at: Timestamp(self.origin),
            last_active_at,
            clock: self.time()?,
            page_views: self.number_32()?,
            offers: self.number_32()?,
            own: History { sessions: self.number_32()?, ..History::default() },
            landing_page: self.maybe(flags.has(Flag::Landing), |reader| reader.url(urls))?,
            referrer: self.maybe(flags.has(Flag::Referrer), |reader| reader.url(urls))?,
            visited: self.list(|reader| reader.url(urls))?,
            visitors: self
                .list(|reader| Ok(VisitorKey { site: site.clone(), id: reader.visitor()? }))?,
            is_bucketed_by_visitor: flags.has(Flag::BucketedByVisitor),
            consent: match (flags.has(Flag::Granted), flags.has(Flag::Denied)) {
                (_, true) => Some(Consent::Denied),
                (true, false) => Some(Consent::Granted),
                (false, false) => None,
            },
            is_held_out: flags.has(Flag::HeldOut),
            utm: self.maybe(flags.has(Flag::Utm), Self::utm)?.map(Box::new),
            cart: self.maybe(flags.has(Flag::Cart), Self::cart)?,
            profile: self.maybe(flags.has(Flag::Profile), Self::profile)?.unwrap_or_default(),
            events: if flags.has(Flag::Events) {
                self.list(|reader| Ok((reader.text()?.into(), reader.number_32()?)))?
            } else {
                Vec::new()
            },
            views: if flags.has(Flag::Views) {
                self.list(|reader| {
                    let id = reader.text()?.into();
                    Ok(View { id, url: reader.url(urls)?, started_at: reader.time()? })
                })?
            } else {
                Vec::new()
            },
            shadows: if flags.has(Flag::Shadows) { self.texts()? } else { Vec::new() },
        })
    }

    pub(super) fn index(&mut self) -> Result<usize, PackedError> {
        usize::try_from(self.number()?).map_err(|_| PackedError::Value("index"))
    }

    fn url(&mut self, urls: &[PageUrl]) -> Result<PageUrl, PackedError> {
        urls.get(self.index()?).cloned().ok_or(PackedError::Value("index of an address"))
    }

    fn utm(&mut self) -> Result<Utm, PackedError> {
        let [source, medium, campaign, term, content] = self.presence()?;
        Ok(Utm {
            source: self.maybe(source, Self::shared)?,
            medium: self.maybe(medium, Self::shared)?,
            campaign: self.maybe(campaign, Self::shared)?,
            term: self.maybe(term, Self::shared)?,
            content: self.maybe(content, Self::shared)?,
        })
    }

    fn shared(&mut self) -> Result<Arc<str>, PackedError> {
        Ok(self.text()?.into())
    }

    pub(super) fn page_id(&mut self) -> Result<PageId, PackedError> {
        match self.byte()? {
            0 => Ok(PageId::from_bits(self.array()?)),
            1 => PageId::parse(&self.text()?).map_err(|_| PackedError::Value("id")),
            _ => Err(PackedError::Value("id")),
        }
    }

    fn visitor(&mut self) -> Result<VisitorId, PackedError> {
        if let Some((2, rest)) = self.rest.split_first() {
            self.rest = rest;
            return Ok(VisitorId::Identity(self.shared()?));
        }
        self.page_id().map(VisitorId::Page)
    }

    fn cart(&mut self) -> Result<Cart, PackedError> {
        let [has_value, has_currency, has_items] = self.presence()?;
        let amount = self.maybe(has_value, Self::signed)?;
        let currency = self.maybe(has_currency, |reader| {
            let code: [u8; 3] = reader.array()?;
            let code = std::str::from_utf8(&code).ok().and_then(Currency::parse);
            code.ok_or(PackedError::Value("currency"))
        })?;
        let items = self.maybe(has_items, Self::number_32)?;
        Ok(Cart { value: amount.map(|amount| Money { amount: Amount(amount), currency }), items })
    }

    fn profile(&mut self) -> Result<Profile, PackedError> {
        let [has_name, has_language, has_zone, has_attributes] = self.presence()?;
        Ok(Profile {
            name: self.maybe(has_name, Self::shared)?,
            language: self.maybe(has_language, Self::shared)?,
            time_zone: self.maybe(has_zone, |reader| {
                reader.text()?.parse().map_err(|_| PackedError::Value("time zone"))
            })?,
            attributes: self.maybe(has_attributes, Self::attributes)?.unwrap_or_default(),
        })
    }

    fn attributes(&mut self) -> Result<Attributes, PackedError> {
        let attributes = self.list(|reader| {
            let name = reader.shared()?;
            let value = match reader.byte()? {
                0 => AttributeValue::Text(reader.shared()?),
                1 => AttributeValue::Number(f64::from_le_bytes(reader.array()?)),
                2 => AttributeValue::Flag(false),
                3 => AttributeValue::Flag(true),
                4 => AttributeValue::List(reader.texts()?),
                _ => return Err(PackedError::Value("attribute")),
            };
            Ok((name, value))
        })?;
        Ok(Attributes(attributes))
    }

    pub(super) fn own(&mut self, own: &mut History) -> Result<(), PackedError> {
        let [dismissal, acceptance, chat, is_opted_out, has_crm] = self.presence()?;
        own.last_dismissal = self.maybe(dismissal, Self::time)?;
        own.last_acceptance = self.maybe(acceptance, Self::time)?;
        own.last_chat = self.maybe(chat, Self::time)?;
        own.is_opted_out = is_opted_out;
        own.offers = self.list(|reader| {
            let [is_prompt] = reader.presence()?;
            let id = u64::from_le_bytes(reader.array()?);
            let session = SessionMark { id, started_at: reader.time()? };
            Ok(Offer { session, at: reader.time()?, is_prompt })
        })?;
        own.rules =
            self.list(|reader| Ok(RuleOffers { rule: reader.shared()?, last_at: reader.time()? }))?;
        own.crm = self.maybe(has_crm, Self::attributes)?.map(Arc::new);
        Ok(())
    }
}
